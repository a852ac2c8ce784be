package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options are what a Site may be told. Zero values stand for the defaults.
type Options struct {
	Address     string        // that it is served at, HOST:PORT: this host's name is answered, beside those of this machine itself
	Poll        time.Duration // how often a record that is watched is looked at; 500 ms
	MaxRecord   int64         // bytes of a run.jsonl, beyond which it is not read; 64 MiB
	MaxWatchers int           // pages that are told of news at once; 32
}

// Bounds of what a Site holds and waits for.
const (
	defaultPoll        = 500 * time.Millisecond
	defaultMaxRecord   = 64 << 20
	defaultMaxWatchers = 32
	listEvery          = 4                // so many Polls lie between two looks at the list of runs
	beatEvery          = 15 * time.Second // a watcher that nothing is told hears as much, so that one that left is found out
	writeWithin        = 10 * time.Second // a watcher that takes longer to take what it is told is let go
	headWithin         = 5 * time.Second  // for a request's head
	requestWithin      = 10 * time.Second // for all of it
	answerWithin       = 2 * time.Minute  // for an answer: a report of many profiles takes seconds to make
	idleWithin         = 2 * time.Minute
	maxHead            = 16 << 10 // bytes of a request's head
)

// Site is the pages of one folder of runs. It is safe for concurrent use.
type Site struct {
	options Options
	root    *os.Root
	dir     string
	mux     *http.ServeMux
	runs    *runs
	records *records
	news    *newsroom
	closing sync.Once
}

// New makes the pages of the runs in dir, which are those in its folders and in the folders below these. Close gives up what
// it holds.
func New(dir string, o Options) (*Site, error) {
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.MaxRecord <= 0 {
		o.MaxRecord = defaultMaxRecord
	}
	if o.MaxWatchers <= 0 {
		o.MaxWatchers = defaultMaxWatchers
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("web: find the folder of runs: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("web: open the folder of runs: %w; name the one that bench --out wrote to", err)
	}
	s := &Site{options: o, root: root, dir: abs, mux: http.NewServeMux(), news: newNewsroom(o.MaxWatchers)}
	s.runs = &runs{root: root, dir: abs, max: o.MaxRecord, seen: map[string]*glance{}}
	s.records = &records{root: root, max: o.MaxRecord}
	s.mux.HandleFunc("GET /{$}", s.serveIndex)
	s.mux.HandleFunc("GET /events", s.serveIndexEvents)
	s.mux.HandleFunc("GET /run/{path...}", s.serveRun)
	s.mux.HandleFunc("GET /beside", s.serveBeside)
	s.mux.HandleFunc("GET /beside/flame.svg", s.serveFlameDiff)
	s.mux.HandleFunc("GET /assets/{name...}", serveAsset)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.fail(w, http.StatusNotFound, "There is no such page.")
	})
	return s, nil
}

// Close ends what tells watchers of news, and closes the folder. Requests that come later fail.
func (s *Site) Close() error {
	s.closing.Do(s.news.close)
	return s.root.Close()
}

// Serve answers on l until ctx ends, and then returns nil at once: nothing is written that could be cut off.
func (s *Site) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headWithin, ReadTimeout: requestWithin, WriteTimeout: answerWithin,
		IdleTimeout: idleWithin, MaxHeaderBytes: maxHead,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("web: serve: %w", err)
	}
	return nil
}
