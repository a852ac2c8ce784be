package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"
)

// Names of the events that a page listens to.
const (
	eventNews = "news" // the state changed
	eventOver = "over" // the last state, after which the server closes
)

// serveEvents tells one watcher of a topic's news until it leaves, the topic is over, or the site closes. A page that comes
// back after it lost the connection is told the newest state first, so it needs to say nothing of what it knew.
func (s *Site) serveEvents(w http.ResponseWriter, r *http.Request, name string, look func(context.Context, *topic)) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy would hold the events back
	if r.Method == http.MethodHead {
		return
	}
	t, err := s.news.watch(name, look)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer t.leave()
	out := http.NewResponseController(w)
	// Both are for requests that end soon; a watcher stays. Not all writers have deadlines, those of tests do not.
	if err := out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	told := 0
	for message := []byte(":\n\n"); ; {
		if len(message) > 0 && !send(out, w, message) {
			return
		}
		now, changed := t.latest()
		if now.Seq > told {
			told, message = now.Seq, event(now)
			if !now.Over {
				continue
			}
			send(out, w, message)
			return
		}
		message = nil
		select {
		case <-changed:
		case <-beat.C:
			message = []byte(":\n\n")
		case <-r.Context().Done():
			return
		case <-s.news.ended:
			return
		}
	}
}

// send writes at once, within a bound of time.
func send(out *http.ResponseController, w http.ResponseWriter, b []byte) bool {
	if err := out.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	if _, err := w.Write(b); err != nil {
		return false
	}
	return out.Flush() == nil
}

// event is news as a server-sent event: each line of the data is one of the event.
func event(n news) []byte {
	var b bytes.Buffer
	b.WriteString("event: ")
	if n.Over {
		b.WriteString(eventOver)
	} else {
		b.WriteString(eventNews)
	}
	for line := range bytes.SplitSeq(n.Data, []byte("\n")) {
		b.WriteString("\ndata: ")
		b.Write(bytes.ReplaceAll(line, []byte("\r"), []byte(" ")))
	}
	b.WriteString("\n\n")
	return b.Bytes()
}
