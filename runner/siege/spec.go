package siege

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"corelab/results"
)

// Bounds of a Spec.
const (
	MaxFoes    = 100_000
	MaxHold    = 8 * 24 * time.Hour // a week of soak
	ownFiles   = 64                 // of the process itself
	firstCount = 2                  // 127.0.0.2 is the first source
	sources    = 8                  // loopback addresses that foes come from
	leastDrip  = time.Millisecond   // between two bytes of a foe
)

// Spec is one siege. It is handed to the process that lays it as JSON.
type Spec struct {
	Addr  string        `json:"addr"` // "127.0.0.1:8080"
	Kind  string        `json:"kind"` // results.SiegeHeads …
	Foes  int           `json:"foes"` // open at a time
	Ramp  time.Duration `json:"ramp_ns"`
	Hold  time.Duration `json:"hold_ns"`             // from the begin to the end, in which all that are left are reset
	Every time.Duration `json:"every_ns"`            // between two bytes of a head, or two pieces of a body
	Rate  int64         `json:"rate,omitempty"`      // bytes per second of a body's pieces
	Limit time.Duration `json:"limit_ns"`            // after which each should be cut; 0: at once
	Known bool          `json:"known"`               // whether Limit is known: nothing is judged otherwise
	Slack time.Duration `json:"slack_ns"`            // how much later than Limit a cut may be seen
	Meek  bool          `json:"meek,omitempty"`      // only use what is left of the CPU: SCHED_IDLE
	Seed  uint64        `json:"seed,omitempty"`      // of what garbage is sent
	Large string        `json:"large,omitempty"`     // the path whose answers readers do not read
	Slow  string        `json:"slow,omitempty"`      // the path that takes a body
	Plain string        `json:"plaintext,omitempty"` // the path that heads ask for
}

// Check says what is wrong with s.
func (s Spec) Check() error {
	addr, err := netip.ParseAddrPort(s.Addr)
	switch {
	case err != nil:
		return fmt.Errorf("siege: the address %q: want 127.0.0.1:PORT", s.Addr)
	case !addr.Addr().Is4() || !addr.Addr().IsLoopback():
		return fmt.Errorf("siege: %s is not on this machine: a siege is laid to one's own server on 127.0.0.1 alone", s.Addr)
	case !slices.Contains(results.SiegeKinds, s.Kind):
		return fmt.Errorf("siege: no kind of client is called %q", s.Kind)
	case s.Foes < 1 || s.Foes > MaxFoes:
		return fmt.Errorf("siege: %d clients: want 1 to %d", s.Foes, MaxFoes)
	case s.Hold <= 0 || s.Hold > MaxHold || s.Ramp < 0 || s.Ramp > s.Hold:
		return fmt.Errorf("siege: %v in all, %v of them to open: want up to %v, and to open no longer than that", s.Hold, s.Ramp, MaxHold)
	case s.Every < leastDrip:
		return fmt.Errorf("siege: a byte each %v: want %v at least", s.Every, leastDrip)
	case s.Rate < 0 || s.Limit < 0 || s.Slack < 0:
		return errors.New("siege: rate, limit and slack must not be below zero")
	}
	return nil
}

// enoughFiles says beforehand that the clients would not fit.
func (s Spec) enoughFiles() error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if need := uint64(s.Foes + ownFiles); need > lim.Cur {
		return fmt.Errorf("%d clients need %d open files and the limit is %d: raise it with 'ulimit -n %d', or ask for fewer", s.Foes, need, lim.Cur, need)
	}
	return nil
}

// Begin is when all foes were to be open, for a siege that began at.
func (s Spec) Begin(at time.Time) time.Time { return at.Add(s.Ramp) }
