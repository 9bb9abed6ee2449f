//go:build client

// Sends a text through kurir and says what became of it, with a client that oapi-codegen makes of kurir's contract:
//
//	go get -tool github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen
//	curl -sO $KURIR_URL/openapi.yaml
//	go tool oapi-codegen -config oapi-codegen.yaml -o kurir.go openapi.yaml
//	go mod tidy
//	KURIR_URL=http://127.0.0.1:8080 KURIR_KEY=kurir_live_… go run -tags client . 081234567890 'Halo!' order-1042
//
// The last word names this sending: run again with the same, nothing is sent twice.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fail("usage: PHONE TEXT NAME")
	}
	if err := send(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fail(err.Error())
	}
}

func fail(words string) {
	fmt.Fprintln(os.Stderr, words)
	os.Exit(1)
}

func send(phone, text, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kurir, err := NewClientWithResponses(os.Getenv("KURIR_URL"), WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-Api-Key", os.Getenv("KURIR_KEY"))
		return nil
	}))
	if err != nil {
		return err
	}
	var to Phones
	if err := to.FromPhone(phone); err != nil {
		return err
	}
	words := Text(text)
	sent, err := kurir.WaSendWithResponse(ctx, &WaSendParams{IdempotencyKey: &name}, SendText{Phone: &to, Body: &words})
	if err != nil {
		return err
	}
	if sent.JSON200 == nil || sent.JSON200.Id == nil {
		return refused(sent.HTTPResponse, sent.Body)
	}
	found, err := kurir.GetMessageWithResponse(ctx, *sent.JSON200.Id)
	if err != nil {
		return err
	}
	if found.JSON200 == nil {
		return refused(found.HTTPResponse, found.Body)
	}
	fmt.Println(found.JSON200.Data.Id, found.JSON200.Data.State)
	return nil
}

// refused says why: code is for programs, the message for people. A proxy in between answers in its own words.
func refused(answer *http.Response, body []byte) error {
	var e Error
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("HTTP %s", answer.Status)
	}
	return fmt.Errorf("%s: %s", e.Code, e.Message)
}
