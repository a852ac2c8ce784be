package planted

import (
	"fmt"
	"time"
)

// Config is what is planted. The zero value plants nothing.
type Config struct {
	LateEvery int           // every so many answers one is late; 0: none
	LateBy    time.Duration // by how much

	StallFor   time.Duration // the server does nothing for so long; 0: never
	StallEvery time.Duration // at the beginning of each such period since the start

	Serial time.Duration // requests are served one at a time, each for so long; 0: they are not

	Calls    int           // getppid(2) for each request
	Switches int           // voluntary context switches for each request
	Leak     int           // bytes kept for each request
	Drift    time.Duration // CPU time of a request that is added for each second since the start

	Mute  int // connections that are never answered, the first ones that ask
	Wrong int // every so many answers one has a wrong byte; 0: none, here and below
	Long  int // is a byte too long
	Short int // is cut short in mid-body
	Error int // is a 500
	Close int // does not come: the connection is closed
}

// Bounds of what can be planted.
const (
	maxWait   = time.Hour        // of a delay, a stall's period or a service
	minWait   = time.Microsecond // of the same
	maxRepeat = 10_000           // calls and switches of one request
	maxLeak   = 64 << 20         // bytes of one request
	maxDrift  = 100 * time.Millisecond
)

// Holds reports whether something planted needs replies that are held: on a core that cannot serve others meanwhile it
// would be more than was asked for.
func (c Config) Holds() bool { return c.LateEvery > 0 || c.Serial > 0 || c.Mute > 0 }

// Check says what in c means nothing.
func (c Config) Check() error {
	for _, n := range []struct {
		what        string
		value, most int
	}{
		{"the answers from one late one to the next", c.LateEvery, 1 << 30},
		{"the system calls of a request", c.Calls, maxRepeat},
		{"the context switches of a request", c.Switches, maxRepeat},
		{"the bytes leaked by a request", c.Leak, maxLeak},
		{"the connections never answered", c.Mute, 1 << 30},
		{"the answers from one wrong one to the next", c.Wrong, 1 << 30},
		{"the answers from one that is too long to the next", c.Long, 1 << 30},
		{"the answers from one cut short to the next", c.Short, 1 << 30},
		{"the answers from one error to the next", c.Error, 1 << 30},
		{"the answers from one close to the next", c.Close, 1 << 30},
	} {
		if n.value < 0 || n.value > n.most {
			return fmt.Errorf("%s: %d is out of range; choose from 0 to %d", n.what, n.value, n.most)
		}
	}
	for _, d := range []struct {
		what   string
		wanted bool
		value  time.Duration
	}{
		{"the delay of a late answer", c.LateEvery > 0 || c.LateBy != 0, c.LateBy},
		{"the length of a stall", c.StallFor != 0 || c.StallEvery != 0, c.StallFor},
		{"the period of stalls", c.StallFor != 0 || c.StallEvery != 0, c.StallEvery},
		{"the service time", c.Serial != 0, c.Serial},
	} {
		if d.wanted && (d.value < minWait || d.value > maxWait) {
			return fmt.Errorf("%s: %v is out of range; choose from %v to %v", d.what, d.value, minWait, maxWait)
		}
	}
	if c.StallFor > 0 && c.StallFor >= c.StallEvery {
		return fmt.Errorf("a stall of %v in each %v leaves no time to serve; make it shorter than its period", c.StallFor, c.StallEvery)
	}
	if c.Drift < 0 || c.Drift > maxDrift {
		return fmt.Errorf("the drift: %v of CPU time more each second is out of range; choose from 0 to %v", c.Drift, maxDrift)
	}
	return nil
}
