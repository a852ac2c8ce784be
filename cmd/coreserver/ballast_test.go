package main

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"corelab/apps"
	"corelab/apps/spin"
	"corelab/httpcore"
	"corelab/servers"
)

func TestNewBallast(t *testing.T) {
	for d, every := range map[time.Duration]uint64{minBallast: 200, 200 * time.Nanosecond: 10, 300 * time.Nanosecond: 7, 2 * time.Microsecond: 1, time.Millisecond: 1} {
		b, err := newBallast(d)
		if err != nil {
			t.Fatal(err)
		}
		if b.every != every || time.Duration(b.every)*d < ballastSpin {
			t.Errorf("%v: a spin on every %d. request, want %d", d, b.every, every)
		}
		if cost, want := float64(b.turns)*b.rate.Turn, float64(every)*float64(d); cost < want*0.99 || cost > want*1.01 {
			t.Errorf("%v: a spin of %.0f ns, want %.0f", d, cost, want)
		}
		if f := b.figures(); f.RequestNS != int64(d) || f.SpinNS != int64(d)*int64(every) || f.Every != every || f.Turns != b.turns || f.TurnNS <= 0 || f.CheckNS <= 0 {
			t.Errorf("%v: the figures are %+v", d, f)
		}
	}
	if (*ballast)(nil).figures() != nil {
		t.Error("no ballast has figures")
	}
}

// lane is a core in memory, of one connection that is answered at once.
type lane struct {
	httpcore.NoDialer
	conn     httpcore.Conn
	env      httpcore.Env
	segments []httpcore.Segment
	buffers  [][]byte
}

func (l *lane) Now() int64                                      { return 1 }
func (l *lane) Post(func())                                     {}
func (l *lane) Wake(*httpcore.Conn)                             {}
func (l *lane) After(time.Duration, func(int64)) httpcore.Timer { return nil }
func (l *lane) Put(b []byte)                                    { l.buffers = append(l.buffers, b[:cap(b)]) }

func (l *lane) Get(n int) []byte {
	if k := len(l.buffers); k > 0 && len(l.buffers[k-1]) >= n {
		b := l.buffers[k-1]
		l.buffers = l.buffers[:k-1]
		return b
	}
	return make([]byte, max(n, 8<<10))
}

// newLane serves app lab, with b on it where that is not nil.
func newLane(t testing.TB, b *ballast) *lane {
	t.Helper()
	app, found := apps.Find("lab")
	if !found {
		t.Fatal("there is no app lab")
	}
	if b != nil {
		app = b.load(app)
	}
	router, err := app.Router(apps.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{}
	l.env = httpcore.Env{Handler: httpcore.NewHandler(router, httpcore.Limits{}, serverName), Buffers: l, Date: httpcore.FormatDate(time.Now())}
	l.conn.Open(&l.env, l, 1)
	return l
}

var plaintext = []byte("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n")

// request asks for /plaintext and returns the length of the answer.
func (l *lane) request() (n int64) {
	l.conn.Feed(plaintext, 1)
	l.segments = l.conn.Pending(l.segments[:0])
	for _, s := range l.segments {
		n += s.Len
	}
	l.conn.Wrote(n)
	return n
}

// TestBallastCounts counts requests, and begins anew with each spin.
func TestBallastCounts(t *testing.T) {
	b := &ballast{every: 10, turns: 1}
	l := newLane(t, b)
	for i := uint64(1); i <= 35; i++ {
		if l.request() == 0 {
			t.Fatal("no answer")
		}
		if got := l.env.Count.Wrapped; got != i%10 {
			t.Errorf("after request %d the count is %d", i, got)
		}
	}
	if l.env.Count.Requests != 35 {
		t.Errorf("%d replies", l.env.Count.Requests)
	}
	bare := newLane(t, nil)
	bare.request()
	if bare.env.Count.Wrapped != 0 {
		t.Error("without --ballast requests are counted")
	}
}

func TestBallastAllocatesNothing(t *testing.T) {
	l := newLane(t, &ballast{every: 2, turns: 1})
	l.request()
	if n := testing.AllocsPerRun(1000, func() { l.request() }); n != 0 {
		t.Errorf("%v allocations in a request", n)
	}
}

// BenchmarkRequest compares a request without ballast, one that counts and never spins, and one with 200 ns: the
// difference of the first two is what counting costs, that of the last two what was asked for.
func BenchmarkRequest(b *testing.B) {
	rate, err := spin.Calibrate()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		load *ballast
	}{
		{"bare", nil},
		{"counting", &ballast{every: 1 << 62}},
		{"200ns", &ballast{every: 10, turns: rate.Turns(2 * time.Microsecond)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := newLane(b, c.load)
			for b.Loop() {
				l.request()
			}
		})
	}
}

// TestBallastProcess has servers carry a heavy ballast: they say what it is, and use at least that CPU time.
func TestBallastProcess(t *testing.T) {
	const each, requests = 200 * time.Microsecond, 500
	line := regexp.MustCompile(`^coreserver: ballast of 200µs for each request: one spin in 1 of 200µs, [1-9][0-9]* turns of [0-9.]+ ns \(checked: [0-9.]+ ns\)\n$`)
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			p := start(t, "--core", core.Name, "--ballast", fmt.Sprint(each))
			p.closes = lacks(core, servers.KeepAlive)
			for range requests {
				if a := p.fetch("/plaintext"); a.said() != "200 Hello, World!" {
					t.Fatalf("got %q", a.said())
				}
			}
			f := p.ask("\n")
			if f.Ballast == nil || f.Ballast.RequestNS != int64(each) || f.Ballast.Every != 1 || f.Ballast.Turns == 0 {
				t.Errorf("the figures say %+v", f.Ballast)
			}
			if s := p.stderr.String(); !line.MatchString(s) {
				t.Errorf("standard error is %q", s)
			}
			p.kill()
			p.ended = true
			state := p.cmd.ProcessState
			// The machine may have become faster since the calibration, by as much as its clock may.
			if used, least := state.UserTime()+state.SystemTime(), requests*each*7/10; used < least {
				t.Errorf("%v of CPU time for %d requests of %v", used, requests, each)
			}
		})
	}
}
