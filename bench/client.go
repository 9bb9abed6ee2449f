package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver, to read the order of acceptance

	"kurir/sandbox"
)

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 5 * time.Minute}

type answer struct {
	Status  bool            `json:"status"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// request makes a call with the admin token.
func (k *kurir) request(ctx context.Context, method, path string, body any) (answer, error) {
	j, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	return k.post(ctx, method, path, "application/json", bytes.NewReader(j))
}

func (k *kurir) post(ctx context.Context, method, path, contentType string, body io.Reader) (answer, error) {
	var a answer
	req, err := http.NewRequestWithContext(ctx, method, k.url+path, body)
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("%s answered %d %s", path, resp.StatusCode, b)
	}
	if !a.Status {
		return a, fmt.Errorf("%s answered %d %s", path, resp.StatusCode, b)
	}
	return a, nil
}

// wa posts to /wa/* with the fields as JSON.
func (k *kurir) wa(ctx context.Context, path string, fields map[string]any) error {
	j, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return k.waRaw(ctx, path, "application/json", bytes.NewReader(j))
}

// waRaw posts to /wa/*, without the admin token: the instance's key is in the body.
func (k *kurir) waRaw(ctx context.Context, path, contentType string, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if !bytes.Contains(b[:min(len(b), 40)], []byte(`"status":true`)) {
		return fmt.Errorf("%s answered %d %.300s", path, resp.StatusCode, b)
	}
	return nil
}

// instance is a linked sandbox instance.
type instance struct{ id, key, number string }

// linked makes an instance and links it with a phone.
func (b *bench) linked(ctx context.Context, name string, spec sandbox.PhoneSpec) (instance, error) {
	a, err := b.kurir.request(ctx, "POST", "/v1/instances", map[string]any{"name": name, "sandbox": true})
	if err != nil {
		return instance{}, err
	}
	var in instance
	var made struct {
		ID  string `json:"id"`
		Key string `json:"key"`
	}
	if err := json.Unmarshal(a.Data, &made); err != nil {
		return in, err
	}
	in = instance{id: made.ID, key: made.Key, number: spec.Number}
	if _, err := b.world.CreatePhone(spec); err != nil {
		return in, err
	}
	if err := b.waitState(ctx, in, "SCAN_QR_CODE"); err != nil {
		return in, err
	}
	qr, err := b.qr(ctx, in)
	if err != nil {
		return in, err
	}
	if err := b.world.Scan(spec.Number, qr); err != nil {
		return in, err
	}
	return in, b.waitState(ctx, in, "WORKING")
}

func (b *bench) qr(ctx context.Context, in instance) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.kurir.url+"/v1/instances/"+in.id+"/qr", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Accept", "text/plain")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return string(bytes.TrimSpace(text)), err
}

func (b *bench) waitState(ctx context.Context, in instance, want string) error {
	return poll(ctx, 2*time.Minute, func() error {
		a, err := b.kurir.request(ctx, "GET", "/v1/instances/"+in.id, nil)
		if err != nil {
			return err
		}
		if !bytes.Contains(a.Data, []byte(`"state":"`+want+`"`)) {
			return fmt.Errorf("instance is not %s: %s", want, a.Data)
		}
		return nil
	})
}

func (b *bench) drop(ctx context.Context, in instance) error {
	_, err := b.kurir.request(ctx, "DELETE", "/v1/instances/"+in.id, nil)
	return err
}

// acceptedOrder lists the WhatsApp ids accepted for a number, in the order of acceptance, from kurir's database.
func acceptedOrder(ctx context.Context, file, phone string) (ids []string, err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "SELECT wa_id FROM messages WHERE phone = ? ORDER BY seq", phone)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// times are durations of one thing done n times.
type times []time.Duration

func (t times) at(q float64) float64 {
	s := slices.Sorted(slices.Values(t))
	return float64(s[min(int(q*float64(len(s))), len(s)-1)].Microseconds()) / 1000
}

func (t times) String() string {
	return fmt.Sprintf("median %.1f ms, p99 %.1f ms (n=%d)", t.at(0.5), t.at(0.99), len(t))
}

// repeat times f, n times, one after the other.
func repeat(n int, f func(i int) error) (times, error) {
	t := make(times, 0, n)
	for i := range n {
		start := time.Now()
		if err := f(i); err != nil {
			return t, err
		}
		t = append(t, time.Since(start))
	}
	return t, nil
}

// crowd does f n times from so many clients and returns how many were done in a second.
func crowd(clients, n int, f func(i int) error) (perSecond float64, err error) {
	work := make(chan int)
	errs := make(chan error, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for i := range work {
				if err := f(i); err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	took := time.Since(start)
	select {
	case err = <-errs:
	default:
	}
	return float64(n) / took.Seconds(), err
}
