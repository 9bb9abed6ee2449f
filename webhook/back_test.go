package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// After an outage of hours each chat waits for its own next try. The first success of any of them is the end of the
// outage for all.
func TestWhenAReceiverIsBackNobodyWaitsForHisOwnTry(t *testing.T) {
	var up atomic.Bool
	bubble(t, func(*http.Request) (*http.Response, error) {
		if up.Load() {
			return status(200)
		}
		return status(502)
	}, func(t *testing.T, w *world, s *script) {
		hook := w.hook("http://example.com/")
		for i := range 20 {
			w.say(fmt.Sprintf("%d@c.us", i), 2)
			time.Sleep(5 * time.Minute)
		}
		time.Sleep(time.Hour) // each has its next try up to six hours from now
		up.Store(true)
		if got := w.states(hook.ID); got["pending"] != 40 {
			t.Fatalf("%v", got)
		}
		w.say("new@c.us", 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.states(hook.ID); got["delivered"] != 41 {
			t.Errorf("a minute after the receiver came back: %v", got)
		}
	})
}

// A receiver that asked for a time is not called before it, whatever else it took meanwhile.
func TestWhoAskedForATimeGetsIt(t *testing.T) {
	var asked atomic.Bool
	bubble(t, func(r *http.Request) (*http.Response, error) {
		if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte("busy@c.us")) && !asked.Swap(true) {
			return status(429, "Retry-After", "7200")
		}
		return status(200)
	}, func(t *testing.T, w *world, s *script) {
		hook := w.hook("http://example.com/")
		w.say("busy@c.us", 1)
		time.Sleep(time.Hour)
		w.say("other@c.us", 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.states(hook.ID); got["pending"] != 1 || got["delivered"] != 1 {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := w.states(hook.ID); got["delivered"] != 2 {
			t.Errorf("after the time: %v", got)
		}
	})
}

// An event that the receiver cannot take looks like a small outage again and again. It keeps all the tries of the schedule.
func TestAnEventThatAlwaysFailsKeepsItsSchedule(t *testing.T) {
	bubble(t, func(r *http.Request) (*http.Response, error) {
		if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte("poison@c.us")) {
			return status(500)
		}
		return status(200)
	}, func(t *testing.T, w *world, s *script) {
		hook := w.hook("http://example.com/")
		w.say("poison@c.us", 1)
		for range 100 { // 25 hours in all; the last try of the schedule is after 31
			w.say("good@c.us", 1)
			time.Sleep(15 * time.Minute)
		}
		synctest.Wait()
		list, err := w.db.Deliveries(context.Background(), hook.ID, "pending", 0, 10)
		if err != nil || len(list) != 1 || list[0].Attempts != 7 {
			t.Fatalf("%+v, %v", list, err)
		}
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if got := w.states(hook.ID); got["failed"] != 1 || got["delivered"] != 100 {
			t.Errorf("%v", got)
		}
	})
}
