package load

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

func TestVegeta(t *testing.T) {
	tests := []struct {
		name  string
		plant string
		close bool
		want  results.Errors
	}{
		{"good", good, false, results.Errors{}},
		{"wrong byte", answer(200, "Hello, Wurld!"), false, results.Errors{Body: 10}},
		{"too long, announced", answer(200, goodBody+"!"), false, results.Errors{Length: 10}},
		{"wrong status", answer(500, goodBody), false, results.Errors{Status: 10}},
		{"cut short", good[:len(good)-1], true, results.Errors{Read: 10}},
		{"not HTTP", "SSH-2.0\r\n\r\n", true, results.Errors{Parse: 10}},
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
			s.Rate = 500
			r, err := Vegeta(p.context(t, 120), s, nil)
			if err != nil || r.Errors != tt.want {
				t.Fatalf("%v, errors %+v, want %+v; the first: %s", err, r.Errors, tt.want, r.Example)
			}
			// It waits for what is in flight when it is stopped.
			asked, lost := uint64(p.requests.Load()), tt.want.Parse+tt.want.Read
			if r.Requests+lost != asked || asked < 120 || r.CPU <= 0 || r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.Max {
				t.Errorf("%d of %d answered, CPU %v, latency %+v", r.Requests, asked, r.CPU, r.Latency)
			}
		})
	}
}

func TestVegetaTimeoutsAndNewConnections(t *testing.T) {
	p := plant(t, func(u *turn) {
		if u.n == 3 {
			<-t.Context().Done()
			u.closed = true
			return
		}
		u.write(strings.Replace(good, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
		u.closed = true
	})
	s := p.spec()
	s.Rate, s.NewConn, s.Timeout = 100, true, time.Second
	r, err := Vegeta(p.context(t, 60), s, nil)
	if err != nil || r.Errors != (results.Errors{Timeout: 1}) || p.conns.Load() < 20 {
		t.Errorf("%v, errors %+v (%s), %d connections", err, r.Errors, r.Example, p.conns.Load())
	}
}

func TestVegetaCommand(t *testing.T) {
	s := Spec{URL: "http://127.0.0.1:8080/", Rate: 100}
	argv, stdin, err := vegetaGenerator{}.Command("/bin/corelab", s)
	var back Spec
	if err != nil || strings.Join(argv, " ") != "/bin/corelab load --spec - --generator vegeta" || json.Unmarshal(stdin, &back) != nil || back.Rate != 100 || back.Connections != DefaultConnections {
		t.Errorf("%q %s: %v", argv, stdin, err)
	}
	for says, change := range map[string]func(*Spec){
		"needs a rate": func(s *Spec) { s.Rate = 0 },
		"not pipeline": func(s *Spec) { s.Depth = 2 },
		"Poisson":      func(s *Spec) { s.Arrival = ArrivalPoisson },
		"idle":         func(s *Spec) { s.Idle = 1 },
	} {
		bad := s
		change(&bad)
		if _, _, err := (vegetaGenerator{}).Command("", bad); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; it should say %q", err, says)
		}
	}
}

func TestVegetaInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := plant(t, func(u *turn) {
		if u.n == 20 {
			cancel()
		}
		u.write(good)
	})
	s := p.spec()
	s.Rate, s.Duration = 200, time.Minute
	if r, err := Vegeta(ctx, s, nil); err != nil || r.Requests < 10 || r.Elapsed > 10*time.Second {
		t.Errorf("%d requests in %v, %v", r.Requests, r.Elapsed, err)
	}
}
