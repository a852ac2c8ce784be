package web

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// patience is how long a test waits for what must come: a loaded machine takes its time.
const patience = 30 * time.Second

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// serve serves the site until the test ends; watchers that come later leave before.
func serve(t testing.TB, s *Site) *httptest.Server {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return server
}

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(stop)
	return ctx, stop
}

// watcher is a page that listens to events.
type watcher struct {
	t      testing.TB
	answer *http.Response
	in     *bufio.Reader
	leave  context.CancelFunc
}

func watch(t testing.TB, address string) *watcher {
	t.Helper()
	ctx, stop := contextOf(t)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); answer.Body.Close() })
	return &watcher{t, answer, bufio.NewReader(answer.Body), stop}
}

// next is the name and the data of the next event, or no name where there is none any more.
func (w *watcher) next() (name, data string) {
	var lines []string
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			return "", ""
		}
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "event: "); ok {
			name = rest
		}
		if rest, ok := strings.CutPrefix(line, "data: "); ok {
			lines = append(lines, rest)
		}
		if line == "" && name != "" {
			return name, strings.Join(lines, "\n")
		}
	}
}

// until waits for an event that says so. The states between may be passed over: a watcher is told the newest one.
func (w *watcher) until(says string) (name, data string) {
	w.t.Helper()
	for {
		name, data = w.next()
		if name == "" {
			w.t.Fatalf("the events ended before one said %q", says)
		}
		if strings.Contains(data, says) {
			return name, data
		}
	}
}

func TestWatchARun(t *testing.T) {
	s, dir := newSite(t, Options{})
	server := serve(t, s)
	index := watch(t, server.URL+"/events")
	if name, _ := index.next(); name != eventNews {
		t.Fatalf("the list's first event is %q", name)
	}
	// The run begins after the list was opened.
	w := beginRun(t, dir, "20261122-101500-bench")
	if name, _ := index.next(); name != eventNews {
		t.Fatalf("a run began, and the list was told %q", name)
	}
	if body := get(s, "/").Body.String(); !strings.Contains(body, "goes on: watch") {
		t.Error("the list does not say that the run goes on")
	}
	address := server.URL + "/run/20261122-101500-bench/events"
	first, second := watch(t, address), watch(t, address)
	if kind := first.answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("events come as %s", kind)
	}
	for _, watcher := range []*watcher{first, second} {
		if _, data := watcher.until("0 trials"); !strings.Contains(data, "goes on") {
			t.Errorf("a run without trials: %s", data)
		}
	}
	for round := 1; round <= 3; round++ {
		tr := trial("reactor", round, 12_345, 9_000)
		if round == 2 {
			tr.Warnings = []results.Warning{{Code: hostile, Text: "<script>alert(1)</script>"}}
		}
		if err := w.Append(tr); err != nil {
			t.Fatal(err)
		}
		for _, watcher := range []*watcher{first, second} {
			_, data := watcher.until(fmt.Sprintf("%d trials", round))
			for _, says := range []string{"12,345", "reactor", "plaintext so far", "9.00 µs", fmt.Sprintf("round %d", round), "of the time"} {
				if !strings.Contains(data, says) {
					t.Errorf("after trial %d the page does not say %q", round, says)
				}
			}
			if strings.Contains(data, "<script") || strings.Contains(data, "<img") {
				t.Error("a warning's text is taken for more than text")
			}
		}
	}
	// Half of a line is no trial yet, and no error either.
	torn, err := os.OpenFile(filepath.Join(w.Dir(), results.RunFile), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer torn.Close()
	if _, err := torn.WriteString(`{"kind":"trial","scenario":"plaintext","target":"late`); err != nil {
		t.Fatal(err)
	}
	third := watch(t, address)
	if _, data := third.until("3 trials"); strings.Contains(data, "cannot be read") || strings.Contains(data, "late") {
		t.Errorf("half of a line: %s", data)
	}
	if _, err := torn.WriteString(`r"}` + "\n" + `{"kind":"end","ended":"2026-11-22T10:16:00Z","elapsed_ns":1000000000,"trials":4}` + "\n"); err != nil {
		t.Fatal(err)
	}
	for _, watcher := range []*watcher{first, second, third} {
		if name, data := watcher.until("ended"); name != eventOver || !strings.Contains(data, "later") {
			t.Errorf("the end came as %q", name)
		}
		if name, _ := watcher.next(); name != "" {
			t.Errorf("behind the end came %q", name)
		}
	}
	if name, _ := index.next(); name != eventNews {
		t.Errorf("the run ended, and the list was told %q", name)
	}
}

// TestWatchAKilledRun holds that a run whose process is gone is told from one that goes on, and that it may go on again.
func TestWatchAKilledRun(t *testing.T) {
	s, dir := newSite(t, Options{})
	server := serve(t, s)
	w := beginRun(t, dir, "20261122-101500-bench")
	if err := w.Append(trial("reactor", 1, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	watcher := watch(t, server.URL+"/run/20261122-101500-bench/events")
	watcher.until("● goes on")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if name, data := watcher.until("killed"); name != eventNews || !strings.Contains(data, "--resume") {
		t.Errorf("a run that was killed is %q: %s", name, data)
	}
	again, _, err := results.Reopen(filepath.Join(dir, "20261122-101500-bench"))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.GoOn(results.GoOn{Started: time.Now()}); err != nil {
		t.Fatal(err)
	}
	watcher.until("● goes on")
	if err := again.End(results.End{}); err != nil {
		t.Fatal(err)
	}
	if name, _ := watcher.until("ended"); name != eventOver {
		t.Errorf("the end came as %q", name)
	}
}

// TestWatchABrokenRun holds that a record which cannot be read is said so, and read again when it can.
func TestWatchABrokenRun(t *testing.T) {
	s, dir := newSite(t, Options{}, smallRun("good"))
	server := serve(t, s)
	b, err := os.ReadFile(filepath.Join(dir, "good", results.RunFile))
	if err != nil {
		t.Fatal(err)
	}
	writeRecord(t, filepath.Join(dir, "bad"), []byte("nonsense\n"))
	watcher := watch(t, server.URL+"/run/bad/events")
	watcher.until("cannot be read now")
	writeRecord(t, filepath.Join(dir, "bad"), b)
	if name, _ := watcher.until("16 trials"); name != eventOver {
		t.Errorf("the record that was mended came as %q", name)
	}
}

// TestWatchersLeave holds that nothing stays behind a page that is closed, and that so many are told and no more.
func TestWatchersLeave(t *testing.T) {
	s, dir := newSite(t, Options{MaxWatchers: 3})
	server := serve(t, s)
	w := beginRun(t, dir, "one")
	if err := w.Append(trial("reactor", 1, 1000, 1000)); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for range 5 {
		var all []*watcher
		for range 3 {
			one := watch(t, server.URL+"/run/one/events")
			one.until("1 trials")
			all = append(all, one)
		}
		answer, err := http.Get(server.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Errorf("one watcher too many: %d", answer.StatusCode)
		}
		for _, one := range all {
			one.leave()
		}
		waitFor(t, "all watchers to be gone", func() bool {
			s.news.mu.Lock()
			defer s.news.mu.Unlock()
			return s.news.watchers == 0 && len(s.news.topics) == 0
		})
	}
	http.DefaultClient.CloseIdleConnections()
	waitFor(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// TestCloseLetsWatchersGo holds that a site that ends keeps nobody.
func TestCloseLetsWatchersGo(t *testing.T) {
	s, dir := newSite(t, Options{})
	server := serve(t, s)
	beginRun(t, dir, "one")
	run, list := watch(t, server.URL+"/run/one/events"), watch(t, server.URL+"/events")
	run.until("0 trials")
	list.until("changed")
	s.Close()
	for _, one := range []*watcher{run, list} {
		for name := "first"; name != ""; {
			name, _ = one.next()
		}
	}
	if w := get(s, "/events"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a watcher of a site that is closed: %d", w.Code)
	}
}

// waitFor waits until something holds.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

func TestEventKeepsLines(t *testing.T) {
	got := string(event(news{1, []byte("a\nb\r\nevent: over"), false}))
	if want := "event: news\ndata: a\ndata: b \ndata: event: over\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
