package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"corelab/results"
)

// Each row plants ten bad answers; the generator must find these ten, of that kind, and no others.
func TestEveryPlantedErrorIsCounted(t *testing.T) {
	tests := []struct {
		name  string
		plant string // written instead of the good answer
		close bool   // and closes then
		want  results.Errors
	}{
		{"wrong byte", answer(200, "Hello, Wurld!"), false, results.Errors{Body: 10}},
		{"wrong last byte", answer(200, "Hello, World?"), false, results.Errors{Body: 10}},
		{"too long by one, announced", answer(200, goodBody+"!"), false, results.Errors{Length: 10}},
		{"too long by one, not announced", good + "!", false, results.Errors{Length: 10}},
		{"too short by one, announced", answer(200, goodBody[1:]), false, results.Errors{Length: 10}},
		{"cut short in the body", good[:len(good)-1], true, results.Errors{Read: 10}},
		{"cut short in the head", good[:20], true, results.Errors{Read: 10}},
		{"closed without an answer", "", true, results.Errors{Read: 10}},
		{"wrong status", answer(500, goodBody), false, results.Errors{Status: 10}},
		{"wrong status and body", answer(404, "no"), false, results.Errors{Status: 10}},
		{"not HTTP", "SSH-2.0-OpenSSH_9.9\r\n", true, results.Errors{Length: 0, Parse: 10}},
		{"no status", "HTTP/1.1 OK\r\n\r\n", true, results.Errors{Parse: 10}},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Length: 14\r\n\r\n" + goodBody, true, results.Errors{Parse: 10}},
		{"a second answer nobody asked for", good + good, false, results.Errors{Length: 10}},
		{"no error at all", good, false, results.Errors{}},
		{"closed and said so", strings.Replace(good, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), true, results.Errors{}},
		{"an interim answer first", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + good, false, results.Errors{}},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nHello\r\n08\r\n, World!\r\n0\r\nX: y\r\n\r\n", false, results.Errors{}},
		{"until it closes", "HTTP/1.1 200 OK\r\n\r\n" + goodBody, true, results.Errors{}},
		{"until it closes, short", "HTTP/1.1 200 OK\r\n\r\n" + goodBody[1:], true, results.Errors{Length: 10}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plant(t, func(u *turn) {
				if !u.some() {
					u.write(good)
					return
				}
				u.write(tt.plant)
				u.closed = tt.close
			})
			s := p.spec()
			if tt.want.Parse > 0 {
				// Behind a good answer, bytes that are no answer are a body that was too long.
				s.NewConn = strings.HasPrefix(tt.plant, "SSH")
			}
			r := p.load(t, s, 300)
			if r.Errors != tt.want {
				t.Errorf("errors %+v, want %+v; the first: %s", r.Errors, tt.want, r.Example)
			}
			lost := tt.want.Read + tt.want.Parse
			if max := uint64(p.requests.Load()) - lost; r.Requests > max || r.Requests+uint64(s.Connections) < max {
				t.Errorf("%d answered, the server answered %d", r.Requests, max)
			}
			if (r.Example == "") != (tt.want == results.Errors{}) {
				t.Errorf("the first error in words: %q", r.Example)
			}
		})
	}
}

func TestPipelining(t *testing.T) {
	p := plant(t, func(u *turn) {
		if u.some() {
			u.write(answer(200, "Hello, Wurld!"))
			return
		}
		u.write(good)
	})
	s := p.spec()
	s.Depth = 16
	r := p.load(t, s, 400)
	if r.Errors != (results.Errors{Body: 10}) || r.Requests < 100 || r.Depth != 16 {
		t.Errorf("errors %+v, %d requests, depth %d", r.Errors, r.Requests, r.Depth)
	}
	if r.Checked != r.Requests {
		t.Errorf("%d of %d compared", r.Checked, r.Requests)
	}
}

func TestPipelinedRequestsBehindACloseAreSentAgain(t *testing.T) {
	p := plant(t, func(u *turn) {
		if u.n%10 == 0 {
			u.write(strings.Replace(good, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
			u.closed = true
			return
		}
		u.write(good)
	})
	s := p.spec()
	s.Depth = 4
	if r := p.load(t, s, 400); r.Errors.Total() != r.Errors.Read || r.Requests < 100 {
		t.Errorf("errors %+v (%s), %d requests", r.Errors, r.Example, r.Requests)
	}
}

func TestConnectionPerRequest(t *testing.T) {
	for _, rate := range []float64{0, 500} {
		// A server for each load: what the one before still had under way would be counted here.
		p := plant(t, func(u *turn) {
			if u.req.Header.Get("Connection") != "close" {
				u.write(answer(500, ""))
				return
			}
			u.write(strings.Replace(good, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
			u.closed = true
		})
		s := p.spec()
		s.NewConn, s.Rate = true, rate
		r := p.load(t, s, 100)
		asked := p.requests.Load() // first: whoever asks later has a connection by then
		if opened := p.conns.Load(); r.Errors.Total() != 0 || r.Requests < 50 || opened < asked {
			t.Errorf("rate %v: errors %+v (%s), %d requests, %d asked on %d connections", rate, r.Errors, r.Example, r.Requests, asked, opened)
		}
	}
}

func TestMethodsAndBodies(t *testing.T) {
	body := []byte(repeat(1 << 20))
	tests := []struct {
		name   string
		spec   Spec
		answer string
	}{
		{"HEAD has no body", Spec{Method: "HEAD", Expect: &Expect{Status: 200, Length: 13}}, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"},
		{"204", Spec{Expect: &Expect{Status: 204}}, "HTTP/1.1 204 No Content\r\n\r\n"},
		{"304 with a length", Spec{Expect: &Expect{Status: 304}}, "HTTP/1.1 304 Not Modified\r\nContent-Length: 13\r\n\r\n"},
		{"an empty body", Spec{Expect: &Expect{Status: 200, Body: []byte{}}}, answer(200, "")},
		{"only the length", Spec{Expect: &Expect{Status: 200, Length: 5}}, answer(200, "abcde")},
		{"a large answer", Spec{Expect: &Expect{Status: 200, Body: body}}, answer(200, string(body))},
		{"a large request", Spec{Method: "POST", Body: body, Header: []string{"Content-Type: text/plain"}, Expect: &Expect{Status: 200, Body: []byte("ok")}}, answer(200, "ok")},
		{"a learned answer", Spec{}, answer(201, repeat(5000))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plant(t, func(u *turn) {
				if u.req.ContentLength != int64(len(tt.spec.Body)) && len(tt.spec.Body) > 0 {
					u.write(answer(411, ""))
				}
				u.write(tt.answer)
			})
			s := tt.spec
			s.URL, s.Connections, s.Duration, s.Timeout, s.Engine = p.url, 2, 20*time.Second, 10*time.Second, testedEngine
			r := p.load(t, s, 50)
			if r.Errors.Total() != 0 || r.Requests == 0 {
				t.Errorf("%d requests, errors %+v: %s", r.Requests, r.Errors, r.Example)
			}
			if want := tt.spec.Expect == nil; want != (r.Reference != "") {
				t.Errorf("reference %q", r.Reference)
			}
		})
	}
}

func TestTheFirstRightAnswerIsTheReference(t *testing.T) {
	p := plant(t, func(u *turn) {
		switch {
		case u.n <= 4:
			u.write(answer(503, "not yet"))
		case u.some():
			u.write(answer(200, "Hello, Wurld!"))
		default:
			u.write(good)
		}
	})
	s := p.spec()
	s.Expect = nil
	r := p.load(t, s, 300)
	if r.Errors != (results.Errors{Status: 4, Body: 10}) || r.Reference != "200, 13 bytes" {
		t.Errorf("errors %+v, reference %q", r.Errors, r.Reference)
	}
	s.CheckEvery = -1
	if r = p.load(t, s, 100); r.Errors.Total() != 0 || r.Checked != 0 || r.Reference != "" {
		t.Errorf("without a check: errors %+v, %d checked, reference %q", r.Errors, r.Checked, r.Reference)
	}
}

func TestOneBodyInSoManyIsCompared(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(answer(200, "Hello, Wurld!")) })
	s := p.spec()
	s.CheckEvery = 8
	r := p.load(t, s, 300)
	if r.Checked != r.Requests/8 || r.Errors.Body != r.Checked || r.CheckEvery != 8 || r.Checked == 0 {
		t.Errorf("%d requests, %d checked, %d wrong", r.Requests, r.Checked, r.Errors.Body)
	}
}

func TestConnectionsThatAreNeverAnswered(t *testing.T) {
	for _, rate := range []float64{0, 400} {
		p := plant(t, func(u *turn) {
			if u.conn > 3 {
				<-t.Context().Done()
				u.closed = true
				return
			}
			u.write(good)
		})
		s := p.spec()
		s.Connections, s.Rate = 8, rate
		r := p.load(t, s, 150)
		if r.Starved != 5 || r.Errors.Total() != 0 || r.Requests < 50 || r.GivenUp < 5 {
			t.Errorf("rate %v: %d starved, errors %+v, %d requests, %d given up", rate, r.Starved, r.Errors, r.Requests, r.GivenUp)
		}
		if rate == 0 && r.PerConn.Min != 0 {
			t.Errorf("spread %+v", r.PerConn)
		}
	}
}

func TestTimeouts(t *testing.T) {
	p := plant(t, func(u *turn) {
		if u.some() {
			<-t.Context().Done()
			u.closed = true
			return
		}
		if u.n > 100 { // the last of the planted ones have time to be missed
			<-time.After(40 * time.Millisecond)
		}
		u.write(good)
	})
	s := p.spec()
	s.Timeout = time.Second // no crowd holds up an answer for so long
	if r := p.load(t, s, 200); r.Errors != (results.Errors{Timeout: 10}) || r.Starved != 0 {
		t.Errorf("errors %+v, %d starved", r.Errors, r.Starved)
	}
}

func TestReset(t *testing.T) {
	p := plant(t, func(u *turn) {
		if u.some() {
			if err := u.w.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			u.closed = true
			return
		}
		u.write(good)
	})
	if r := p.load(t, p.spec(), 300); r.Errors != (results.Errors{Read: 10}) {
		t.Errorf("errors %+v", r.Errors)
	}
}

// The server stalls once, for 200 ms. All that was due meanwhile waited, which only a clock that starts at the due time sees.
func TestOpenLoopCountsFromDue(t *testing.T) {
	const rate, stall = 500, 200 * time.Millisecond
	gate := make(chan struct{})
	p := plant(t, func(u *turn) {
		switch {
		case u.n == 50:
			time.AfterFunc(stall, func() { close(gate) })
			<-gate
		case u.n > 50:
			<-gate
		}
		u.write(good)
	})
	s := p.spec()
	s.Connections, s.Rate, s.Duration = 2, rate, time.Second
	called := time.Now()
	r := run(t, s)
	most := mostDue(s, r.Begin.Sub(called))
	if all := r.Requests + r.Unsent + uint64(s.Connections); r.Errors.Total() != 0 || all < 499 || all > most+uint64(s.Connections) {
		t.Fatalf("%d requests, %d unsent, of at most %d, errors %+v", r.Requests, r.Unsent, most, r.Errors)
	}
	// A stall of S in a window of T has the quantile S-(1-q)T from due, and the mean S²/2T; a crowded machine only adds to it,
	// and all that it adds was spent before sending or after.
	window := time.Duration(float64(r.Latency.Count) / rate * 1e9)
	for _, q := range []struct {
		name      string
		got, want time.Duration
	}{{"p99", r.Latency.P99, stall - window/100}, {"p90", r.Latency.P90, stall - window/10}, {"mean", r.Latency.Mean, stall * stall / 2 / window}} {
		if q.got < q.want*95/100 || q.got > r.LateMax+r.Service.Max*101/100 {
			t.Errorf("from due: %s %v, want %v; the latest was sent after %v, and answered within %v", q.name, q.got, q.want, r.LateMax, r.Service.Max)
		}
	}
	if r.Service.P90 > r.Latency.P90/2 {
		t.Errorf("from sent: p90 %v: only two requests were in flight in the stall", r.Service.P90)
	}
	if r.Late < 80 || r.LateMax < 150*time.Millisecond {
		t.Errorf("%d sent late, %v at worst", r.Late, r.LateMax)
	}
}

// mostDue is how many requests can be due in the window of a load without a warm-up: they are due from the call on, and
// the window begins when the machine lets it. After the call and before the window's begin goes lag.
func mostDue(s Spec, lag time.Duration) uint64 {
	return uint64(s.Rate*(s.Duration+lag).Seconds()) + 1
}

func TestOpenLoopBeyondTheServersCapacity(t *testing.T) {
	const each = 10 * time.Millisecond
	p := plant(t, func(u *turn) {
		<-time.After(each)
		u.write(good)
	})
	s := p.spec()
	s.Connections, s.Rate, s.Duration = 1, 1000, 500*time.Millisecond
	called := time.Now()
	r := run(t, s)
	most := mostDue(s, r.Begin.Sub(called))
	// The last one is answered behind the window.
	if all := r.Requests + r.Unsent; r.Requests > uint64(r.Elapsed/each)+1 || r.Requests == 0 || all < 498 || all > most {
		t.Errorf("%d answered, %d unsent, of 500 to %d due", r.Requests, r.Unsent, most)
	}
	if r.Latency.Max < 300*time.Millisecond {
		t.Errorf("the last one waited %v since it was due", r.Latency.Max)
	}
}

func TestArrivalsKeepTheRate(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(good) })
	for _, arrival := range []string{ArrivalConstant, ArrivalPoisson} {
		s := p.spec()
		s.Rate, s.Arrival, s.Threads, s.Seed, s.Warmup, s.Connections = 800, arrival, 2, 7, 50*time.Millisecond, 16
		s.Duration = 250 * time.Millisecond
		called := time.Now()
		r := run(t, s)
		// 200 are due; Poisson's standard deviation is 14. What a crowded machine delayed before the window is answered in it:
		// at most all that was due since the call.
		most := uint64(s.Rate*time.Since(called).Seconds()) + 60
		if due := r.Latency.Count + r.Unsent; due < 140 || due > most || r.Errors.Total() != 0 {
			t.Errorf("%s: %d requests of the window, want 140 to %d, errors %+v", arrival, due, most, r.Errors)
		}
		if r.Loop != LoopOpen || r.Arrival != arrival || r.Requests == 0 {
			t.Errorf("%s: %+v", arrival, r.Load)
		}
	}
}

func TestWindow(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(good) })
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	s := p.spec()
	s.Warmup, s.Threads, s.Connections, s.Duration = 50*time.Millisecond, 2, 5, 250*time.Millisecond
	s.Observe = []int{os.Getpid(), other.Process.Pid, 0x3ffffff}
	watch := new(Progress)
	r, err := Run(t.Context(), s, watch)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Process.Kill(), ignoreExit(other.Wait())); err != nil {
		t.Fatal(err)
	}
	if r.Elapsed < s.Duration || r.End.Sub(r.Begin) < s.Duration*9/10 {
		t.Errorf("window of %v, elapsed %v, asked for %v", r.End.Sub(r.Begin), r.Elapsed, s.Duration)
	}
	if r.CPU <= 0 || len(r.Observed) != 3 || r.Observed[0] <= 0 || r.Observed[1] != 0 || r.Observed[2] != -1 {
		t.Errorf("own CPU %v, observed %v", r.CPU, r.Observed)
	}
	// The one is read after the other, and the machine may put something between.
	if diff := (r.CPU - r.Observed[0]).Abs(); diff > r.CPU/2 {
		t.Errorf("own CPU %v by one clock, %v by the other", r.CPU, r.Observed[0])
	}
	if all := uint64(p.requests.Load()); r.Requests >= all || r.PerConn.Max == 0 || r.PerConn.Min > r.PerConn.Median {
		t.Errorf("%d of %d requests counted, spread %+v", r.Requests, all, r.PerConn)
	}
	if n := watch.Requests.Load(); n == 0 || n > r.Requests {
		t.Errorf("the progress showed %d of %d", n, r.Requests)
	}
	h, err := hdrhistogram.Decode([]byte(r.Latency.HDR))
	if err != nil || uint64(h.TotalCount()) != r.Latency.Count || h.ValueAtQuantile(99) != int64(r.Latency.P99) {
		t.Errorf("the whole histogram: %v", err)
	}
	out, in := uint64(len("GET /plaintext HTTP/1.1\r\nHost: \r\n\r\n")+len(p.url)-len("http:///plaintext")), uint64(len(good))
	if r.BytesIn < r.Requests*in || r.BytesIn > (r.Requests+16)*in || r.BytesOut < (r.Requests-16)*out || r.BytesOut > (r.Requests+16)*out {
		t.Errorf("%d requests, %d bytes out, %d in", r.Requests, r.BytesOut, r.BytesIn)
	}
}

func ignoreExit(err error) error {
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return nil
	}
	return err
}

func TestIdleConnections(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(good) })
	s := p.spec()
	s.Idle = 20
	if r := p.load(t, s, 50); r.IdleOpen != 20 || p.conns.Load() != 24 || r.Errors.Total() != 0 {
		t.Errorf("%d of %d connections idle, errors %+v", r.IdleOpen, p.conns.Load(), r.Errors)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := plant(t, func(u *turn) {
		if u.n == 200 {
			cancel()
		}
		u.write(good)
	})
	s := p.spec()
	s.Duration = time.Minute
	r, err := Run(ctx, s, nil)
	if err != nil || r.Requests < 100 || r.Elapsed > 10*time.Second {
		t.Errorf("%d requests in %v, %v", r.Requests, r.Elapsed, err)
	}
	s.Warmup = time.Minute
	if _, err = Run(ctx, s, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted in the warm-up: %v", err)
	}
}

func TestOperatingErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + ln.Addr().String() + "/"
	ln.Close()
	tests := []struct {
		name, says string
		spec       Spec
	}{
		{"nobody listens", "nothing listens there", Spec{URL: nobody}},
		{"nobody listens, idle", "idle connection 1 of 2", Spec{URL: nobody, Idle: 2}},
		{"https", "TLS is not spoken here", Spec{URL: "https://127.0.0.1/"}},
		{"no scheme", "want http://host:port/path", Spec{URL: "127.0.0.1:80"}},
		{"unknown host", "check the host's name", Spec{URL: "http://host.invalid/"}},
		{"credentials", "give a header", Spec{URL: "http://a:b@127.0.0.1/"}},
		{"header without a colon", "want 'Name: value'", Spec{URL: nobody, Header: []string{"Accept"}}},
		{"header that ends a line", "want 'Name: value'", Spec{URL: nobody, Header: []string{"A: b\r\nC: d"}}},
		{"header that frames", "framed by the generator", Spec{URL: nobody, Header: []string{"Content-Length: 3"}}},
		{"pipelined open loop", "leave out one", Spec{URL: nobody, Depth: 2, Rate: 5}},
		{"pipelined and new", "leave out one", Spec{URL: nobody, Depth: 2, NewConn: true}},
		{"too many files", "raise it with 'ulimit -n", Spec{URL: nobody, Connections: MaxConnections, Idle: MaxConnections}},
		{"negative rate", "rate -1", Spec{URL: nobody, Rate: -1}},
		{"unknown arrival", "want constant or poisson", Spec{URL: nobody, Rate: 1, Arrival: "uniform"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Run(t.Context(), tt.spec, nil); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v; it should say %q", err, tt.says)
			}
		})
	}
}

func ExampleSpec_CommandLine() {
	s := Spec{URL: "http://127.0.0.1:8080/plaintext", Rate: 2000, Duration: time.Second}.Filled()
	fmt.Println(strings.Join(s.CommandLine("corelab"), " "))
	// Output: corelab load http://127.0.0.1:8080/plaintext -c 64 -d 1s --warmup 0s --timeout 2s --rate 2000
}
