package planted

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"corelab/apps/spin"
	"corelab/httpcore"
)

// Counts is what the app has done so far, as /counts answers it in JSON: the truth that a lab's own counts are held
// against.
type Counts struct {
	Requests uint64 `json:"requests"` // of /planted, those that are never answered included
	Answers  uint64 `json:"answers"`  // of these, numbered to be answered in some way: faults and closes included
	Muted    uint64 `json:"muted"`    // never answered
	Late     uint64 `json:"late"`     // held back
	Wrong    uint64 `json:"wrong"`
	Long     uint64 `json:"long"`
	Short    uint64 `json:"short"`
	Errors   uint64 `json:"errors"`
	Closed   uint64 `json:"closed"`
	Elapsed  int64  `json:"elapsed_ns"` // since the start of the app
}

// app is one server's state.
type app struct {
	mute      uint64
	lateEvery uint64
	lateBy    time.Duration
	clock     *clockwork
	stall     stall
	till      till
	weight    weight
	faults    faults

	requests, answers, muted, delayed atomic.Uint64
	made                              [numFaults]atomic.Uint64
}

// Routes returns the routes of the app. Any number of loops may serve them at once. Its clock, which stalls and drift go
// by, starts now.
func Routes(c Config) ([]httpcore.Route, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	a := &app{
		mute: uint64(c.Mute), lateEvery: uint64(c.LateEvery), lateBy: c.LateBy,
		stall:  stall{length: c.StallFor, period: c.StallEvery},
		till:   till{service: c.Serial},
		weight: weight{calls: c.Calls, switches: c.Switches},
		faults: faults{faultClose: c.Close, faultError: c.Error, faultShort: c.Short, faultLong: c.Long, faultWrong: c.Wrong},
	}
	a.weight.leak.bytes = c.Leak
	a.weight.drift.perSecond = c.Drift
	var err error
	if c.Drift > 0 {
		if a.weight.drift.rate, err = spin.Calibrate(); err != nil {
			return nil, fmt.Errorf("calibrate the drift: %w", err)
		}
	}
	a.clock = newClockwork()
	if c.LateEvery > 0 || c.Serial > 0 || c.StallFor > 0 {
		if err := a.clock.start(); err != nil {
			return nil, err
		}
	}
	return []httpcore.Route{
		{Method: "GET", Pattern: "/plaintext", Serve: func(x *httpcore.Exchange) { x.Reply(&right) }},
		{Method: "GET", Pattern: "/planted", Serve: a.serve},
		{Method: "GET", Pattern: "/counts", Serve: a.serveCounts},
	}, nil
}

// serve answers as planted.
func (a *app) serve(x *httpcore.Exchange) {
	n := a.requests.Add(1)
	if n <= a.mute { // a held connection asks nothing else, so that these are as many connections
		a.muted.Add(1)
		x.Hold()
		return
	}
	a.stall.block(a.clock)
	n = a.answers.Add(1)
	f := a.faults.of(n)
	a.made[f].Add(1)
	if err := a.weight.carry(a.clock); err != nil {
		x.Reply(&httpcore.Reply{Status: 500, Type: textType, Body: []byte(err.Error() + "\n")})
		return
	}
	now := a.clock.now()
	due := a.till.served(now)
	if a.lateEvery > 0 && n%a.lateEvery == 0 {
		a.delayed.Add(1)
		due += a.lateBy
	}
	if due == now {
		f.answer(x)
		return
	}
	held, loop := x.Hold(), x.Loop()
	a.clock.at(a.stall.after(due), func() {
		loop.Post(func() { f.answer(held) })
	})
}

// serveCounts answers the counts.
func (a *app) serveCounts(x *httpcore.Exchange) {
	c := Counts{
		Requests: a.requests.Load(), Answers: a.answers.Load(), Muted: a.muted.Load(), Late: a.delayed.Load(),
		Wrong: a.made[faultWrong].Load(), Long: a.made[faultLong].Load(), Short: a.made[faultShort].Load(),
		Errors: a.made[faultError].Load(), Closed: a.made[faultClose].Load(),
		Elapsed: int64(a.clock.now()),
	}
	b, err := json.Marshal(c)
	if err != nil {
		panic("planted: counts that are no JSON: " + err.Error())
	}
	x.Reply(&httpcore.Reply{Type: "application/json", Body: b})
}
