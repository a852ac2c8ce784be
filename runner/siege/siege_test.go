package siege

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corelab/results"
)

// bound is how long a test waits for what must happen.
const bound = 20 * time.Second

// keep serves each connection by serve until the test ends. It returns the address, and counts the connections that are over.
func keep(t *testing.T, serve func(net.Conn)) (addr string, over *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over = new(atomic.Int64)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer over.Add(1)
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String(), over
}

// until ends the returned context once n connections are over, or at the bound.
func until(t *testing.T, over *atomic.Int64, n int64) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	go func() {
		for ; over.Load() < n && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		}
		cancel()
	}()
	return ctx
}

// reads waits for one byte, and reports whether it came.
func reads(c net.Conn) bool {
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}

// says answers a status after a time, and waits for the client's end.
func says(status string, after time.Duration) func(net.Conn) {
	return func(c net.Conn) {
		if !reads(c) {
			return
		}
		time.Sleep(after)
		fmt.Fprintf(c, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status)
		c.(*net.TCPConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		io.Copy(io.Discard, c)
	}
}

func TestLay(t *testing.T) {
	const foes = 12
	long := bound
	for name, test := range map[string]struct {
		kind         string
		limit, slack time.Duration
		known        bool
		serve        func(net.Conn)
		how          string
		wrong        bool
		early, late  bool
	}{
		"heads in time":       {results.SiegeHeads, 60 * time.Millisecond, long, true, says("408 Request Timeout", 60*time.Millisecond), "408", false, false, false},
		"heads late":          {results.SiegeHeads, time.Millisecond, 0, true, says("408 Request Timeout", 60*time.Millisecond), "408", false, false, true},
		"heads early":         {results.SiegeHeads, time.Hour, 0, true, says("408 Request Timeout", 0), "408", false, true, false},
		"heads of no limit":   {results.SiegeHeads, time.Hour, 0, false, says("408 Request Timeout", 0), "408", false, false, false},
		"heads otherwise":     {results.SiegeHeads, 0, long, true, says("400 Bad Request", 0), "400", true, false, false},
		"heads without word":  {results.SiegeHeads, 0, long, true, func(c net.Conn) { reads(c) }, "", true, false, false},
		"bodies in time":      {results.SiegeBodies, 0, long, true, says("408 Request Timeout", 0), "408", false, false, false},
		"silent":              {results.SiegeSilent, 0, long, true, func(net.Conn) {}, results.SiegeClose, false, false, false},
		"silent, with a word": {results.SiegeSilent, 0, long, true, func(c net.Conn) { io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n") }, "408", true, false, false},
		"readers":             {results.SiegeReaders, 0, long, true, func(c net.Conn) { reads(c); c.(*net.TCPConn).SetLinger(0) }, results.SiegeReset, false, false, false},
		"tls":                 {results.SiegeTLS, 0, long, true, says("400 Bad Request", 0), "400", false, false, false},
		"garbage":             {results.SiegeGarbage, 0, long, true, says("505 HTTP Version Not Supported", 0), "505", false, false, false},
		"garbage that is fed": {results.SiegeGarbage, 0, long, true, says("200 OK", 0), "200", true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr, over := keep(t, test.serve)
			done := 0
			a, err := Lay(until(t, over, 3*foes), Spec{Addr: addr, Kind: test.kind, Foes: foes, Ramp: 10 * time.Millisecond, Hold: time.Minute, Every: 5 * time.Millisecond,
				Rate: 1000, Limit: test.limit, Known: test.known, Slack: test.slack, Large: "/large", Slow: "/slow", Plain: "/"}, func() { done++ })
			if err != nil {
				t.Fatal(err)
			}
			cut := a.CutCount()
			if cut < foes || a.Opened != cut+uint64(a.Young+a.Overdue) || a.Cut == nil || a.Cut.Count != cut {
				t.Errorf("%d opened, %d cut, %d young, %d overdue: %+v", a.Opened, cut, a.Young, a.Overdue, a)
			}
			if done != 1 {
				t.Errorf("it was said %d times that each was cut", done)
			}
			if test.how != "" && a.How[test.how] != cut {
				t.Errorf("cut by %v, want %s", a.How, test.how)
			}
			for _, c := range []struct {
				what string
				got  uint64
				all  bool
			}{{"wrong", a.Wrong, test.wrong}, {"early", a.Early, test.early}, {"late", a.Late, test.late}} {
				if want := map[bool]uint64{true: cut}[c.all]; c.got != want {
					t.Errorf("%d of %d count as %s, want %d", c.got, cut, c.what, want)
				}
			}
		})
	}
}

// TestOverdue lays siege to a server that never cuts.
func TestOverdue(t *testing.T) {
	const foes = 10
	var there atomic.Int64
	addr, _ := keep(t, func(c net.Conn) {
		there.Add(1)
		io.Copy(io.Discard, c)
	})
	a, err := Lay(until(t, &there, foes), Spec{Addr: addr, Kind: results.SiegeSilent, Foes: foes, Hold: time.Minute, Every: time.Second, Known: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// One that had just come may have been connecting still.
	if a.Overdue+a.Unopened != foes || a.Overdue == 0 || a.CutCount() != 0 {
		t.Errorf("%+v", a)
	}
}

// TestStubborn goes on behind the server's end until it is reset.
func TestStubborn(t *testing.T) {
	addr, over := keep(t, says("408 Request Timeout", 0))
	a, err := Lay(until(t, over, 60), Spec{Addr: addr, Kind: results.SiegeHeads, Foes: 10, Hold: time.Minute, Every: 2 * time.Millisecond, Known: true, Slack: bound, Plain: "/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Lingered == nil || a.Lingered.Count == 0 || a.Lingered.Count >= a.CutCount() {
		t.Errorf("of %d that were cut these went on: %+v", a.CutCount(), a.Lingered)
	}
}

func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	a, err := Lay(t.Context(), Spec{Addr: addr, Kind: results.SiegeHeads, Foes: 3, Ramp: 20 * time.Millisecond, Hold: 200 * time.Millisecond, Every: time.Second}, nil)
	if err != nil || a.Refused == 0 || a.Opened != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestCheck(t *testing.T) {
	good := Spec{Addr: "127.0.0.1:80", Kind: results.SiegeHeads, Foes: 1, Hold: time.Second, Every: time.Second}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Spec){
		"not on this machine": func(s *Spec) { s.Addr = "192.0.2.1:80" },
		"the address":         func(s *Spec) { s.Addr = "localhost" },
		"no kind":             func(s *Spec) { s.Kind = "polite" },
		"0 clients":           func(s *Spec) { s.Foes = 0 },
		"to open":             func(s *Spec) { s.Ramp = time.Minute },
		"a byte each":         func(s *Spec) { s.Every = 0 },
		"below zero":          func(s *Spec) { s.Slack = -1 },
	} {
		s := good
		change(&s)
		if _, err := Lay(t.Context(), s, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Three clients whose request heads come a byte now and then, and a server that has enough of each after a while.
func Example() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, enough := context.WithTimeout(context.Background(), bound)
	go func() {
		for range 3 {
			c, err := l.Accept()
			if err != nil {
				panic(err)
			}
			defer c.Close()
			fmt.Fprint(c, "HTTP/1.1 408 Request Timeout\r\n\r\n")
		}
		l.Close()
		enough()
	}()
	attack, err := Lay(ctx, Spec{Addr: l.Addr().String(), Kind: results.SiegeHeads, Foes: 3, Hold: time.Minute, Every: time.Second, Plain: "/"}, nil)
	fmt.Println(attack.Foes, attack.Kind, err)
	// Output: 3 heads <nil>
}
