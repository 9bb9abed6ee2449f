package models

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kurir/problem"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := openTest(t)
	a, b := instance(t, db, "a"), instance(t, db, "b")
	names := map[string]string{} // by id
	last := map[string]string{}  // id by name
	add := func(name, in, phone, chat string, state MessageState) {
		m := textTo(in, name)
		m.Phone, m.Chat = phone, chat
		row := put(t, db, m, map[string]any{"state": string(state)})
		names[row.ID], last[name] = name, row.ID
	}
	add("1", a, "628111", "628111@c.us", MessageSent)
	add("2", b, "628111", "628111@c.us", MessageQueued)
	add("3", a, "628222", "628222@c.us", MessageFailed)
	add("4", a, "", "120363@g.us", MessageQueued)
	add("5", a, "628111", "628111@c.us", MessageQueued)
	for name, tt := range map[string]struct {
		f    MessageFilter
		want string
	}{
		"all":                    {MessageFilter{Limit: 10}, "5 4 3 2 1"},
		"page":                   {MessageFilter{Limit: 2}, "5 4"},
		"next page":              {MessageFilter{After: last["4"], Limit: 2}, "3 2"},
		"end":                    {MessageFilter{After: last["1"], Limit: 2}, ""},
		"instance":               {MessageFilter{InstanceID: a, Limit: 10}, "5 4 3 1"},
		"instance, page":         {MessageFilter{InstanceID: a, After: last["4"], Limit: 10}, "3 1"},
		"phone":                  {MessageFilter{Phone: "628111", Limit: 10}, "5 2 1"},
		"phone of an instance":   {MessageFilter{InstanceID: a, Phone: "628111", Limit: 10}, "5 1"},
		"phone, page":            {MessageFilter{InstanceID: a, Phone: "628111", After: last["5"], Limit: 10}, "1"},
		"group":                  {MessageFilter{Chat: "120363@g.us", Limit: 10}, "4"},
		"state":                  {MessageFilter{States: []MessageState{MessageQueued}, Limit: 10}, "5 4 2"},
		"states":                 {MessageFilter{InstanceID: a, States: []MessageState{MessageSent, MessageFailed}, Limit: 10}, "3 1"},
		"phone and state":        {MessageFilter{Phone: "628111", States: []MessageState{MessageQueued}, Limit: 10}, "5 2"},
		"nobody":                 {MessageFilter{Phone: "62", Limit: 10}, ""},
		"an instance that is no": {MessageFilter{InstanceID: "none", Limit: 10}, ""},
	} {
		list, err := db.Messages(ctx, tt.f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range list {
			got = append(got, names[m.ID])
		}
		if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, f := range []MessageFilter{{After: "msg_none", Limit: 1}, {InstanceID: b, After: last["1"], Limit: 1}} {
		_, err := db.Messages(ctx, f)
		wantCode(t, err, problem.NotFound)
	}
}

// No filter makes SQLite sort an instance's rows: what is read is bounded by the page, or by a phone's messages.
func TestMessagesPlan(t *testing.T) {
	t.Parallel()
	db := openTest(t)
	id := instance(t, db, "a")
	after := enqueue(t, db, textTo(id, "x")).ID
	states, ends := []MessageState{MessageQueued, MessageUnknown}, []MessageState{MessageFailed, MessageUnknown}
	for want, filters := range map[string][]MessageFilter{
		"USING INTEGER PRIMARY KEY": {{After: after}, {InstanceID: id, After: after}, {States: states, After: after}, {InstanceID: id, States: states, After: after}},
		"messages_ended":            {{InstanceID: id, States: ends}, {InstanceID: id, States: ends, After: after}},
		"messages_phone":            {{InstanceID: id, Phone: "62"}, {InstanceID: id, Phone: "62", States: states, After: after}, {Phone: "62", After: after}},
	} {
		for _, f := range filters {
			query, args, err := db.messagesQuery(context.Background(), f)
			if err != nil {
				t.Fatal(err)
			}
			var steps []struct{ Detail string }
			if err := db.read.Raw("EXPLAIN QUERY PLAN "+query, args...).Scan(&steps).Error; err != nil {
				t.Fatal(err)
			}
			plan := fmt.Sprint(steps)
			if !strings.Contains(plan, want) || strings.Contains(plan, "TEMP B-TREE") && f.InstanceID != "" {
				t.Errorf("%+v: %s", f, plan)
			}
		}
	}
}

// BenchmarkMessages reads a page out of 100,000 messages: the worst case, a state that none of them has, reads them all.
func BenchmarkMessages(b *testing.B) {
	db := openTest(b)
	id := instance(b, db, "a")
	body := strings.Repeat("a", 200)
	for range 100 {
		list := batchOf(id, "", make([]string, 1000)...)
		for i := range list {
			list[i].Body, list[i].Phone = body, fmt.Sprintf("62812345%05d", i*7)
		}
		if _, _, err := db.EnqueueAll(context.Background(), list, line); err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]MessageFilter{
		"newest": {InstanceID: id}, "phone": {InstanceID: id, Phone: "6281234500070"}, "no such state": {InstanceID: id, States: []MessageState{MessageFailed}},
	} {
		f.Limit = 100
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := db.Messages(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
