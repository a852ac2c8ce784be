package medley

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bound is how long a test waits for what must happen.
const bound = 20 * time.Second

// serve serves by h until the test ends, and returns where.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func hello(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/plaintext":
		fmt.Fprint(w, "Hello, World!")
	case "/echo":
		b, _ := io.ReadAll(r.Body)
		w.Write(b)
	default:
		http.NotFound(w, r)
	}
}

// soak lets clients loose until done says so, or the bound.
func soak(t *testing.T, addr string, calls []Call, done func(Counts) bool) Counts {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	traffic := Start(ctx, Spec{Addr: addr, Clients: 4, Rate: 5000, Seed: 7, Calls: calls})
	for ; !done(traffic.Counts()) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
	}
	if ctx.Err() != nil {
		t.Errorf("it did not come to an end: %+v", traffic.Counts())
	}
	cancel()
	traffic.Wait()
	return traffic.Counts()
}

func learn(t *testing.T, addr string) []Call {
	t.Helper()
	calls, left, err := Learn(t.Context(), addr, Deck(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != 6 || len(left) == 0 { // plaintext twice, echo three times, and nowhere
		t.Fatalf("it learned %v, and left %v", calls, left)
	}
	return calls
}

func TestRight(t *testing.T) {
	addr := serve(t, hello)
	c := soak(t, addr, learn(t, addr), func(c Counts) bool { return c.Answers > 500 && c.Connections > 30 || c.Errors > 0 })
	if c.Errors > 0 {
		t.Error(c.Example)
	}
}

// TestWrong has one answer in fifty be wrong, in every way.
func TestWrong(t *testing.T) {
	for want, spoil := range map[string]http.HandlerFunc{
		"was answered 500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) },
		"differ from the":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Hello, World?") },
		"no answer":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"breaks off after 5 bytes": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "13")
			fmt.Fprint(w, "Hello")
		},
	} {
		t.Run(want, func(t *testing.T) {
			var n atomic.Int64
			addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" && r.URL.Path == "/plaintext" && n.Add(1)%50 == 0 {
					spoil(w, r)
					return
				}
				hello(w, r)
			})
			c := soak(t, addr, learn(t, addr), func(c Counts) bool { return c.Errors > 0 })
			if !strings.Contains(c.Example, want) {
				t.Errorf("%q", c.Example)
			}
		})
	}
}

func TestNothingServed(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "closed", http.StatusServiceUnavailable) })
	if calls, _, err := Learn(t.Context(), addr, Deck([]string{"a.txt"})); err == nil {
		t.Errorf("it learned %v", calls)
	}
}

// A server is asked once for what there is, and then again and again, every answer held against the first.
func Example() {
	s := httptest.NewServer(http.HandlerFunc(hello))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	calls, _, err := Learn(context.Background(), addr, []Call{{Method: "GET", Path: "/plaintext", Status: 200}})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	traffic := Start(ctx, Spec{Addr: addr, Clients: 2, Rate: 1000, Calls: calls})
	for traffic.Counts().Answers < 10 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	traffic.Wait()
	fmt.Println(traffic.Counts().Errors)
	// Output: 0
}
