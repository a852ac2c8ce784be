package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
)

// deed is what a scripted stage does.
type deed int

const (
	pass        deed = iota
	waits            // and is resumed by a timer
	resumesSelf      // within Enter
	answers
	answersLate // in the callback of a timer
	streams     // an answer with a Source of unknown length
	streamsSized
	streamsLate
	cuts // in the middle of a streamed answer
	drops
	dropsLate
	never // waits for what does not come
)

var deeds = []deed{pass, waits, resumesSelf, answers, answersLate, streams, streamsSized, streamsLate, cuts, drops, dropsLate, never}

// ends reports whether a stage of that deed ends the request.
func (d deed) ends() bool { return d > resumesSelf }

// played is a stage that does one deed, and notes what is done to it.
type played struct {
	name string
	does deed
	log  *[]string
	last *Outcome
}

func (p *played) note(what string) { *p.log = append(*p.log, what+p.name) }

func (p *played) Enter(r *Request) Verdict {
	p.note("+")
	switch p.does {
	case waits:
		w := r.Wait()
		r.After(time.Millisecond, func(int64) { w.Resume(); w.Resume() })
		return Wait
	case resumesSelf:
		w := r.Wait()
		w.Resume()
		return Wait
	case answers:
		r.Answer(&Answer{Body: []byte("whole")})
	case streams, cuts:
		r.Answer(&Answer{Source: &drip{r: r, left: 3, cut: p.does == cuts}})
	case streamsSized:
		r.Answer(&Answer{Source: &drip{r: r, left: 3}, Sized: true, Len: 15})
	case swallowing:
		r.Stream(&sink{})
		return Next
	case drops:
		r.Drop(nil)
	case answersLate, streamsLate, dropsLate:
		w := r.Wait()
		r.After(time.Millisecond, func(int64) {
			switch p.does {
			case answersLate:
				r.Answer(&Answer{Body: []byte("whole")})
				r.Answer(&Answer{Body: []byte("second")})
			case streamsLate:
				r.Answer(&Answer{Source: &drip{r: r, left: 3}})
			default:
				r.Drop(nil)
			}
			w.Resume() // one too many: nothing may come of it
		})
		return Wait
	case never:
		r.Wait()
		return Wait
	default:
		return Next
	}
	return Done
}

func (p *played) Resumed(*Request) Verdict {
	p.note("=")
	return Next
}

func (p *played) Answer(_ *Request, a *Answer) {
	p.note("?")
	a.Fields = append(a.Fields, "X-"+p.name+": 1\r\n"...)
}

func (p *played) Leave(r *Request, o *Outcome) {
	p.note("-")
	if len(r.X.Path()) == 0 {
		panic("the request cannot be read any more")
	}
	*p.last = *o
}

// drip is a Source of pieces, of which the next comes a millisecond after the last was taken.
type drip struct {
	r      *Request
	left   int
	ready  bool
	cut    bool
	closed int
}

func (d *drip) Next(int) ([]byte, bool) {
	if d.cut && d.left == 1 {
		d.r.Drop(errors.New("the upstream broke off"))
		return nil, false
	}
	if !d.ready {
		d.r.After(time.Millisecond, func(int64) {
			d.ready = true
			d.r.More()
		})
		return nil, false
	}
	d.ready = false
	d.left--
	return []byte("piece"), d.left == 0
}

func (d *drip) Close(error) {
	if d.closed++; d.closed > 1 {
		panic("a Source is closed twice")
	}
}

// play is a gateway with one route of scripted stages.
func play(t testing.TB, log *[]string, last *Outcome, script ...deed) *Gateway {
	t.Helper()
	g, faults := New(&Config{Routes: []*RouteConfig{{Name: "only", MatchConfig: MatchConfig{Path: "/"}}}}, &Faults{})
	if faults != nil {
		t.Fatal(faults)
	}
	var stages []Stage
	for i, d := range script {
		stages = append(stages, &played{string(rune('a' + i)), d, log, last})
	}
	rt := g.snapshot.Load().Routes[0]
	played := newRoute(rt.Name, stages)
	played.Config = rt.Config
	g.snapshot.Load().table.routes[0] = played
	return g
}

// wantLog is what must have been done to the stages of a script, whose last entered is last.
func wantLog(script []deed, shown bool) (in, out []string) {
	n := slices.IndexFunc(script, deed.ends) + 1
	for i, d := range script[:n] {
		name := string(rune('a' + i))
		in = append(in, "+"+name)
		if d == waits || d == resumesSelf {
			in = append(in, "="+name)
		}
	}
	for i := n - 1; i >= 0 && shown; i-- {
		out = append(out, "?"+string(rune('a'+i)))
	}
	for i := n - 1; i >= 0; i-- {
		out = append(out, "-"+string(rune('a'+i)))
	}
	return in, out
}

// TestOrder plays every script of up to three stages to its end.
func TestOrder(t *testing.T) {
	scripts(3, func(script []deed) {
		for _, shared := range []bool{false, true} {
			for _, request := range requests {
				playWhole(t, script, shared, request)
			}
		}
	})
}

// requests are without content, with it, with some of it missing, and one that gets no content back.
var requests = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
}

func playWhole(t *testing.T, script []deed, shared bool, request string) {
	var log []string
	var o Outcome
	g := play(t, &log, &o, script...)
	w := newWorld(t, g, shared)
	p := w.dial()
	p.send(request)
	for range 20 {
		p.turn(time.Millisecond)
		p.write()
	}
	final := script[slices.IndexFunc(script, deed.ends)]
	head := strings.HasPrefix(request, "HEAD")
	what := fmt.Sprintf("script %v, shared %v, %.4s", script, shared, request)
	if final == never {
		if _, out := wantLog(script, false); slices.Contains(log, out[0]) {
			t.Errorf("%s: left while it waits: %v", what, log)
		}
		p.leave(errors.New("reset"))
	}
	in, out := wantLog(script, final != drops && final != dropsLate && final != never)
	if want := append(in, out...); !slices.Equal(log, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, log, want)
	}
	want := Outcome{Status: 200, Bytes: 15, Latency: o.Latency}
	switch final {
	case answers, answersLate:
		want.Bytes = 5
	case drops, dropsLate:
		want = Outcome{Status: StatusGone, Err: errDropped, Latency: o.Latency}
	case never:
		want = Outcome{Status: StatusGone, Err: o.Err, Gone: true, Latency: o.Latency}
	case cuts:
		want.Bytes, want.Err = 10, o.Err
	}
	if head && final != never && final != drops && final != dropsLate {
		want.Bytes, want.Err = o.Bytes, nil // whatever was made, none of it is sent
	} else if (want.Err != nil) != (o.Err != nil) {
		t.Errorf("%s: error %v", what, o.Err)
	}
	if o != want {
		t.Errorf("%s: outcome %+v, want %+v", what, o, want)
	}
	answered := strings.HasPrefix(string(p.out), "HTTP/1.1 200")
	if answered != (want.Status == 200) {
		t.Errorf("%s: the client got %q", what, p.out)
	}
	if whole := strings.HasSuffix(string(p.out), "0\r\n\r\n"); final == cuts && !head && whole {
		t.Errorf("%s: an answer that was cut ends as if it were whole: %q", what, p.out)
	}
	if n := strings.Count(string(p.out), "\r\nX-"); answered && n != len(out)/2 {
		t.Errorf("%s: %d stages have seen the answer", what, n)
	}
	if !p.closed {
		p.leave(nil)
	}
	w.whole(g)
}

// scripts calls f with every script of one to n stages, of which only the last ends the request.
func scripts(n int, f func([]deed)) {
	var grow func(script []deed)
	grow = func(script []deed) {
		for _, d := range deeds {
			s := append(slices.Clone(script), d)
			if d.ends() {
				f(s)
			} else if len(s) < n {
				grow(s)
			}
		}
	}
	grow(nil)
}

// TestLeft has the client leave after each number of turns: whatever was entered is left, once and in reverse, whatever
// else comes.
func TestLeft(t *testing.T) {
	scripts(3, func(script []deed) {
		for _, shared := range []bool{false, true} {
			for turns := range 8 {
				var log []string
				var o Outcome
				g := play(t, &log, &o, script...)
				w := newWorld(t, g, shared)
				p := w.dial()
				p.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
				for range turns {
					p.turn(500 * time.Microsecond)
					p.write()
				}
				early := slices.Clone(log)
				if !p.closed {
					p.leave(errors.New("reset"))
				}
				for range 10 { // the timers of whoever waited
					p.turn(time.Millisecond)
				}
				what := fmt.Sprintf("script %v, shared %v, left after %d (%v): %v, outcome %+v", script, shared, turns, early, log, o)
				if !balanced(log) {
					t.Errorf("%s: not balanced", what)
				}
				if o.Err == nil && !slices.Contains(early, "-a") {
					t.Errorf("%s: the client's leaving is not told", what)
				}
				w.whole(g)
			}
		}
	})
}

// balanced reports whether stages were entered in order, each once, and then left in reverse, each once.
func balanced(log []string) bool {
	n := 0
	leaving := false
	for _, e := range log {
		switch i := int(e[1] - 'a'); e[0] {
		case '+':
			if leaving || i != n {
				return false
			}
			n++
		case '-':
			leaving = true
			if n--; i != n {
				return false
			}
		}
	}
	return n == 0 && leaving
}

// TestBadContent has the client break its framing while a stage waits: the connection answers, the stages are left.
func TestBadContent(t *testing.T) {
	var log []string
	var o Outcome
	g := play(t, &log, &o, pass, swallowing, never)
	w := newWorld(t, g, false)
	p := w.dial()
	p.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")
	p.turn(0)
	p.write()
	if !strings.HasPrefix(string(p.out), "HTTP/1.1 400") || !balanced(log) || o.Status != 400 || !o.Gone {
		t.Errorf("answer %q, log %v, outcome %+v", p.out, log, o)
	}
	if !p.closed {
		p.leave(nil)
	}
	w.whole(g)
}

// swallowing is a deed of a stage that takes the content.
const swallowing deed = -1

// sink is a Sink that counts.
type sink struct {
	got string
	end bool
}

func (s *sink) Piece(_ *httpcore.Exchange, p []byte) { s.got += string(p) }
func (s *sink) End(*httpcore.Exchange)               { s.end = true }
func (s *sink) Abort(error)                          {}

// taker waits a while, takes the content then, and answers with it.
type taker struct{ after time.Duration }

func (k taker) Enter(r *Request) Verdict {
	w := r.Wait()
	r.After(k.after, func(int64) { w.Resume() })
	return Wait
}

func (k taker) Resumed(r *Request) Verdict {
	s := &sink{}
	r.Stream(s)
	w := r.Wait()
	r.After(time.Millisecond, func(int64) {
		if w.Live() {
			r.Answer(&Answer{Body: fmt.Appendf(nil, "%s %v", s.got, s.end)})
		}
	})
	return Wait
}

func (taker) Leave(*Request, *Outcome) {}

// TestContentWaits holds the content back until a stage asks for it, however late.
func TestContentWaits(t *testing.T) {
	for _, request := range requests[1:3] {
		for cut := range len(request) {
			var log []string
			var o Outcome
			g := play(t, &log, &o, pass, answers)
			rt := newRoute("only", []Stage{taker{time.Millisecond}})
			rt.Config = g.snapshot.Load().Routes[0].Config
			g.snapshot.Load().table.routes[0] = rt
			w := newWorld(t, g, true)
			p := w.dial()
			p.send(request[:cut])
			p.turn(time.Millisecond)
			p.write()
			p.send(request[cut:])
			for range 5 {
				p.turn(time.Millisecond)
				p.write()
			}
			if !strings.HasSuffix(string(p.out), "hello true") {
				t.Fatalf("split at %d: %q", cut, p.out)
			}
			p.leave(nil)
			w.whole(g)
		}
	}
}

// crowd is a stage at which the first request keeps the others waiting until it is left.
type crowd struct {
	leader  *Request
	waiting []Waiter
}

func (c *crowd) Enter(r *Request) Verdict {
	if c.leader == nil {
		c.leader = r
		return Next
	}
	c.waiting = append(c.waiting, r.Wait())
	return Wait
}

func (c *crowd) Resumed(r *Request) Verdict {
	r.Answer(&Answer{Body: []byte("shared")})
	return Done
}

func (c *crowd) Leave(r *Request, _ *Outcome) {
	if c.leader == r {
		c.leader = nil
		for _, w := range c.waiting {
			w.Resume()
		}
	}
}

// TestCrowd resumes many requests, of other connections, when one is left; of these every third has gone by then.
func TestCrowd(t *testing.T) {
	for _, shared := range []bool{false, true} {
		var log []string
		var o Outcome
		g := play(t, &log, &o, answersLate)
		rt := newRoute("only", []Stage{&crowd{}, g.snapshot.Load().table.routes[0].stages[0]})
		rt.Config = g.snapshot.Load().Routes[0].Config
		g.snapshot.Load().table.routes[0] = rt
		w := newWorld(t, g, shared)
		var peers []*peer
		for range 100 {
			p := w.dial()
			p.send(requests[0])
			peers = append(peers, p)
		}
		for i := 3; i < len(peers); i += 3 {
			peers[i].leave(errors.New("reset"))
		}
		for range 3 {
			w.turn(time.Millisecond)
		}
		for i, p := range peers {
			want := "shared"
			switch {
			case i == 0:
				want = "whole"
			case i%3 == 0:
				want = ""
			}
			if !p.closed {
				p.write()
				p.leave(nil)
			}
			if !strings.HasSuffix(string(p.out), want) || (want == "") != (len(p.out) == 0) {
				t.Errorf("shared %v: peer %d got %q", shared, i, p.out)
			}
		}
		w.whole(g)
	}
}

// TestNoAllocation serves by a pipeline of stages that neither wait nor stream.
func TestNoAllocation(t *testing.T) {
	for _, shared := range []bool{false, true} {
		g, faults := New(&Config{Routes: []*RouteConfig{{Name: "only", MatchConfig: MatchConfig{Path: "/"}, Null: 8}}}, &Faults{})
		if faults != nil {
			t.Fatal(faults)
		}
		p := newWorld(t, g, shared).dial()
		request := []byte(requests[0])
		if n := testing.AllocsPerRun(100, func() {
			p.conn.Feed(request, p.now)
			p.out = p.out[:0]
			p.write()
		}); n != 0 {
			t.Errorf("shared %v: %v allocations for a request", shared, n)
		}
	}
}

// BenchmarkNull is the price of stages that do nothing.
func BenchmarkNull(b *testing.B) {
	for _, n := range []int{0, 1, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, faults := New(&Config{Routes: []*RouteConfig{{Name: "only", MatchConfig: MatchConfig{Path: "/"}, Null: n}}}, &Faults{})
			if faults != nil {
				b.Fatal(faults)
			}
			p := newWorld(b, g, false).dial()
			request := []byte(requests[0])
			b.ReportAllocs()
			for b.Loop() {
				p.conn.Feed(request, p.now)
				p.out = p.out[:0]
				p.write()
			}
		})
	}
}
