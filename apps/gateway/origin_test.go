package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
)

// origin stands in for forward: it answers what a function says, as if an endpoint had.
type origin struct {
	answer func(r *Request) (status int, fields, body string) // 0: no answer comes
	delay  time.Duration
	stream int // pieces of body, each a millisecond after the last; 0: whole

	asked int
	last  string // what the last one was asked with beyond the client's own lines, and without which of these
	ends  map[string]int
}

func (o *origin) Enter(r *Request) Verdict {
	o.asked++
	o.last = string(r.ToUpstream.lines)
	for _, name := range r.ToUpstream.drops {
		o.last += "-" + name + "\n"
	}
	if o.delay == 0 {
		o.now(r)
		return Done
	}
	w := r.Wait()
	r.After(o.delay, func(int64) { w.Resume() })
	return Wait
}

func (o *origin) Resumed(r *Request) Verdict {
	o.now(r)
	return Done
}

func (o *origin) now(r *Request) {
	status, fields, body := o.answer(r)
	t := Attempt{Endpoint: r.Endpoint, Status: status, Latency: int64(time.Millisecond)}
	if status == 0 {
		t.Err = errors.New("refused")
	}
	if r.Endpoint != nil && o.ends != nil {
		o.ends[r.Endpoint.Addr.String()]++
	}
	r.Attempted(&t)
	a := Answer{Status: status, Fields: []byte(strings.ReplaceAll(fields, "|", "\r\n")), Body: []byte(body), From: FromUpstream}
	if len(a.Fields) > 0 {
		a.Fields = append(a.Fields, "\r\n"...)
	}
	if o.stream > 0 {
		a.Body, a.Source = nil, &drip{r: r, left: o.stream}
	}
	if status == 0 {
		a = text(502)
	}
	r.Answer(&a)
}

func (o *origin) Leave(*Request, *Outcome) {}

// says is an origin that always says the same.
func says(status int, fields, body string) *origin {
	return &origin{answer: func(*Request) (int, string, string) { return status, fields, body }}
}

// stand makes a gateway of a configuration, whose routes end at an origin.
func stand(t testing.TB, config string, o Stage) *Gateway {
	t.Helper()
	g, err := New(Read("gateway.toml", []byte(config)))
	if err != nil {
		t.Fatal(err)
	}
	end(g, o)
	return g
}

// end has the routes in force end at an origin.
func end(g *Gateway, o Stage) {
	table := g.snapshot.Load().table
	for i, old := range table.routes {
		rt := newRoute(old.Name, append(withoutForward(old.stages[:len(old.stages)-1]), o))
		rt.Index, rt.Upstream, rt.Config = old.Index, old.Upstream, old.Config
		table.routes[i] = rt
	}
}

// refused returns what is wrong with a configuration.
func refused(t testing.TB, config string) string {
	t.Helper()
	_, err := New(Read("gateway.toml", []byte(config)))
	if err == nil {
		t.Errorf("accepted:\n%s", config)
		return ""
	}
	return err.Error()
}

// ask sends a request on a connection of its own and returns the answer so far, without the end of its lines, and the peer.
func (w *world) ask(request string) (string, *peer) {
	p := w.dial()
	p.send(strings.ReplaceAll(request, "|", "\r\n") + "\r\n\r\n")
	return string(p.out), p
}

// get is the status, the words of X-Cache-Status and Age where they are there, and the content of an answer to a GET that has
// come.
func (w *world) get(path, fields string) string {
	if fields != "" {
		fields = "|" + fields
	}
	out, p := w.ask("GET " + path + " HTTP/1.1|Host: h" + fields)
	p.leave(nil)
	return short(out)
}

func short(out string) string {
	head, body, found := strings.Cut(out, "\r\n\r\n")
	if !found {
		return ""
	}
	lines := strings.Split(head, "\r\n")
	s := strings.TrimPrefix(lines[0], "HTTP/1.1 ")[:3]
	for _, name := range []string{"X-Cache-Status", "Age", "Allow", "Retry-After"} {
		for _, line := range lines[1:] {
			if v, ok := strings.CutPrefix(line, name+": "); ok {
				s += " " + v
			}
		}
	}
	if strings.HasPrefix(s, "2") && body != "" {
		s += " " + body
	}
	return s
}

func both(t *testing.T, f func(t *testing.T, shared bool)) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) { f(t, shared) })
	}
}

var _ httpcore.Source = (*tee)(nil)

// benchmark sends one request over and over on one connection, through the stages that a configuration names.
func benchmark(b *testing.B, config, request string) {
	g := stand(b, config, &fixedOrigin{answer: Answer{Status: 200, Body: []byte("hello"), From: FromUpstream,
		Fields: []byte("Cache-Control: max-age=1000\r\nContent-Type: text/plain\r\n")}})
	w := newWorld(b, g, false)
	p := w.dial()
	in := []byte(strings.ReplaceAll(request, "|", "\r\n") + "\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		p.out = p.out[:0]
		p.conn.Feed(in, p.now)
		p.write()
		w.now += int64(10 * time.Microsecond)
	}
	if !strings.HasPrefix(string(p.out), "HTTP/1.1 200") {
		b.Fatalf("%q", p.out)
	}
}

// fixedOrigin is an origin that takes no memory.
type fixedOrigin struct {
	answer  Answer
	attempt Attempt
}

func (o *fixedOrigin) Enter(r *Request) Verdict {
	if r.Endpoint != nil {
		o.attempt = Attempt{Endpoint: r.Endpoint, Status: 200, Latency: int64(time.Millisecond)}
		r.Attempted(&o.attempt)
	}
	r.Answer(&o.answer)
	return Done
}
func (o *fixedOrigin) Leave(*Request, *Outcome) {}
