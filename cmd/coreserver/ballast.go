package main

import (
	"fmt"
	"io"
	"time"

	"corelab/apps"
	"corelab/apps/spin"
	"corelab/httpcore"
	"corelab/servers"
)

const (
	// ballastSpin is the least that is burnt at once: below it a spin's beginning and end show in its cost.
	ballastSpin = 2 * time.Microsecond
	// minBallast and maxBallast bound --ballast. Below the least, counting requests costs as much.
	minBallast = 10 * time.Nanosecond
	maxBallast = 100 * time.Millisecond
)

// ballast is CPU time added to every request that a route serves, to plant a difference that a comparison must find.
type ballast struct {
	each  time.Duration // of a request, on average
	every uint64        // requests from one spin to the next
	turns int64         // of one spin
	rate  spin.Rate
}

// ballastFigures is what the answer on --stats-fd says about the ballast.
type ballastFigures struct {
	RequestNS int64   `json:"request_ns"` // CPU time added to a request, on average
	Every     uint64  `json:"every"`      // requests from one spin to the next, counted for each loop or thread
	SpinNS    int64   `json:"spin_ns"`    // of one spin
	Turns     int64   `json:"turns"`      // of one spin
	TurnNS    float64 `json:"turn_ns"`    // as calibrated at the start
	CheckNS   float64 `json:"check_ns"`   // of a second calibration
}

// checkBallast refuses a --ballast that means nothing; 0 is none.
func checkBallast(d time.Duration, core servers.Core) error {
	switch {
	case d == 0:
		return nil
	case d < minBallast || d > maxBallast:
		return fmt.Errorf("--ballast %v is out of range; give CPU time for each request from %v to %v, such as 200ns", d, minBallast, maxBallast)
	}
	if reason, lacks := lackOf(core, servers.Parsing); lacks {
		return fmt.Errorf("--ballast: core %s calls no handler that could carry it (%s); choose another --core", core.Name, reason)
	}
	return nil
}

// newBallast calibrates a ballast of d for each request.
func newBallast(d time.Duration) (*ballast, error) {
	rate, err := spin.Calibrate()
	if err != nil {
		return nil, fmt.Errorf("calibrate --ballast: %w", err)
	}
	every := (ballastSpin + d - 1) / d
	return &ballast{each: d, every: uint64(every), turns: rate.Turns(every * d), rate: rate}, nil
}

// loaded returns the app of o with the ballast of o, which it reports on stderr, and the ballast, nil if there is none.
func loaded(o *options, stderr io.Writer) (apps.App, *ballast, error) {
	if o.ballast == 0 {
		return o.app, nil, nil
	}
	b, err := newBallast(o.ballast)
	if err != nil {
		return o.app, nil, err
	}
	fmt.Fprintf(stderr, "coreserver: %v\n", b)
	return b.load(o.app), b, nil
}

// load returns the app with the ballast on each of its routes.
func (b *ballast) load(app apps.App) apps.App {
	routes := app.New
	app.New = func(c apps.Config) ([]httpcore.Route, error) {
		all, err := routes(c)
		for i := range all {
			all[i].Serve = b.carry(all[i].Serve)
		}
		return all, err
	}
	return app
}

// carry returns serve with the ballast. Requests are counted for each owner of connections, a loop or a thread, where the
// count shares no cache line with others: one counter for all would cost more, and more on more CPUs, than what is added.
func (b *ballast) carry(serve func(*httpcore.Exchange)) func(*httpcore.Exchange) {
	return func(x *httpcore.Exchange) {
		n := &x.Counters().Wrapped
		if *n++; *n >= b.every {
			*n = 0
			spin.Burn(b.turns)
		}
		serve(x)
	}
}

// figures returns what is known of b; nil if there is none.
func (b *ballast) figures() *ballastFigures {
	if b == nil {
		return nil
	}
	return &ballastFigures{
		RequestNS: int64(b.each), Every: b.every, SpinNS: int64(b.each) * int64(b.every),
		Turns: b.turns, TurnNS: b.rate.Turn, CheckNS: b.rate.Check,
	}
}

// String says the same in one line, for standard error.
func (b *ballast) String() string {
	return fmt.Sprintf("ballast of %v for each request: one spin in %d of %v, %d turns of %.4f ns (checked: %.4f ns)",
		b.each, b.every, b.each*time.Duration(b.every), b.turns, b.rate.Turn, b.rate.Check)
}

// lackOf returns why core lacks a feature, and whether it does.
func lackOf(core servers.Core, feature servers.Feature) (reason string, lacks bool) {
	for _, l := range core.Lacks {
		if l.Feature == feature {
			return l.Reason, true
		}
	}
	return "", false
}
