package handlers

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"kurir/browser"
	"kurir/contract"
	"kurir/models"
	"kurir/outbox"
	"kurir/webhook"
)

// TestViewsAreInTheContract holds the objects of answers to their schemas by their fields, those that are rarely sent
// included: traffic shows a field that the contract does not have only when it comes, and never one that nothing sends.
func TestViewsAreInTheContract(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	schemas := doc.Components.Schemas
	instance := schemas["Instance"].Value
	for name, x := range map[string]struct {
		schema *openapi3.Schema
		view   any
		// but are fields of one side alone: told in one answer (key, secret), never (the page's), or added elsewhere.
		but []string
	}{
		"Message":           {schemas["Message"].Value, messageView{}, nil},
		"SentMessage":       {schemas["SentMessage"].Value, sendView{}, nil},
		"Bulk":              {schemas["Bulk"].Value, bulkView{}, nil},
		"Bulk.items":        {schemas["Bulk"].Value.Properties["items"].Value.Items.Value, itemView{}, nil},
		"BulkProblems":      {schemas["BulkProblems"].Value, bulkProblems{}, nil},
		"items":             {schemas["BulkProblems"].Value.Properties["items"].Value.Items.Value, itemProblem{}, nil},
		"InstanceState":     {schemas["InstanceState"].Value, stateView{}, nil},
		"Instance":          {instance, instanceView{}, []string{"key"}},
		"pacing":            {instance.Properties["pacing"].Value, pacingView{}, nil},
		"now":               {instance.Properties["pacing"].Value.Properties["now"].Value, outbox.PaceState{}, nil},
		"capabilities":      {instance.Properties["capabilities"].Value.AdditionalProperties.Schema.Value, browser.Capability{}, nil},
		"Chat":              {schemas["Chat"].Value, browser.Chat{}, nil},
		"last_message":      {schemas["Chat"].Value.Properties["last_message"].Value, browser.LastMessage{}, nil},
		"ChatMessage":       {schemas["ChatMessage"].Value, browser.Message{}, []string{"mentions", "writer"}},
		"media":             {schemas["ChatMessage"].Value.Properties["media"].Value, browser.Media{}, nil},
		"quoted":            {schemas["ChatMessage"].Value.Properties["quoted"].Value, browser.Quoted{}, nil},
		"Contact":           {schemas["Contact"].Value, browser.Contact{}, nil},
		"Media":             {schemas["Media"].Value, mediaView{}, nil},
		"MediaSettingsView": {schemas["MediaSettingsView"].Value, mediaSettings{}, nil},
		"Webhook":           {schemas["Webhook"].Value, webhookView{}, []string{"secret"}},
		"TestResult":        {schemas["TestResult"].Value, webhook.Result{}, nil},
		"Delivery":          {schemas["Delivery"].Value, deliveryView{}, nil},
		"APIKey":            {schemas["APIKey"].Value, keyView{}, nil},
		"AuditLine":         {schemas["AuditLine"].Value, models.AuditEntry{}, nil},
		"Span":              {schemas["Span"].Value, models.Span{}, nil},
		"Stats":             {schemas["Stats"].Value, models.Stats{}, []string{"waiting_files", "media_files"}},
	} {
		told, said := map[string]bool{}, map[string]bool{}
		fieldsOf(reflect.TypeOf(x.view), told)
		propertiesOf(x.schema, said)
		for _, field := range slices.Sorted(maps.Keys(told)) {
			always, there := said[field]
			switch {
			case slices.Contains(x.but, field):
			case !there:
				t.Errorf("%s: the contract has no %s", name, field)
			case always != told[field]:
				t.Errorf("%s: %s is required by the contract: %v; and always sent: %v", name, field, always, told[field])
			}
			delete(said, field)
		}
		for field := range said {
			if !slices.Contains(x.but, field) {
				t.Errorf("%s: nothing sends %s", name, field)
			}
		}
	}
}

// fieldsOf collects the fields of a struct as JSON has them, and whether each is always there.
func fieldsOf(v reflect.Type, into map[string]bool) {
	for i := range v.NumField() {
		f := v.Field(i)
		name, more, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			fieldsOf(f.Type, into)
		case name != "-" && f.IsExported():
			into[name] = !strings.Contains(more, "omit")
		}
	}
}

// propertiesOf collects the properties of a schema and its parts, and whether each is required.
func propertiesOf(s *openapi3.Schema, into map[string]bool) {
	for _, part := range s.AllOf {
		propertiesOf(part.Value, into)
	}
	for name := range s.Properties {
		into[name] = slices.Contains(s.Required, name)
	}
}
