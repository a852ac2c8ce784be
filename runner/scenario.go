package runner

import (
	"encoding"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Scenario is one question, as a file in scenarios/ asks it. The zero value of an optional field has the meaning that its
// comment gives. It is not changed after [ParseScenario] returned it.
type Scenario struct {
	Name string `toml:"-"` // the file's name without .toml

	Question string `toml:"question"` // what the rows answer, a sentence that ends in a question mark
	Why      string `toml:"why"`      // why anyone asks

	Request   Request   `toml:"request"`   // "GET /plaintext"; {size} in the path stands for the case's size
	Expect    Expect    `toml:"expect"`    // the right answer
	Verify    Request   `toml:"-"`         // asked before the load instead of Request, where that may not be asked beforehand; the same answer is right
	Header    []string  `toml:"-"`         // "Name: value", of a user's own request
	Content   []byte    `toml:"-"`         // likewise: its body
	Placement Placement `toml:"placement"` // one, split or shared
	Needs     []Feature `toml:"needs"`     // what a core must not lack
	Limit     bool      `toml:"limit"`     // raw, which does not parse, has a row as the limit

	Gateway *Gateway `toml:"gateway"` // the targets stand in front of others; nil: they answer by themselves

	Generator Generator `toml:"generator"` // what loads; corelab if empty
	Rounds    int       `toml:"rounds"`    // trials of each cell
	Duration  Duration  `toml:"duration"`  // of the measured time of a trial
	WarmUp    Duration  `toml:"warm-up"`   // before it, of the same load

	Load Shape  `toml:"load"`
	Vary Vary   `toml:"vary"` // one of its lists makes the cases; none makes a single one
	Also []Also `toml:"also"` // the same cells by another generator, to hold them against each other

	// AA names targets that are measured twice, under two entries: what differs between these is noise.
	AA []string `toml:"aa"`

	Plan Weights `toml:"plan"`
}

// Expect is the right answer, known without asking any server.
type Expect struct {
	Status int               `toml:"status"` // 200 if 0
	Body   *string           `toml:"body"`   // byte for byte
	Repeat string            `toml:"repeat"` // instead of Body: repeated, and cut at the case's size, or at Size
	Size   Size              `toml:"size"`   // of an answer of Repeat, where it is the same in all cases
	Fields map[string]string `toml:"fields"` // with exactly these values
}

// Shape is what the generator offers.
type Shape struct {
	Loop        Loop    `toml:"loop"`        // closed or open
	Connections int     `toml:"connections"` // busy ones
	Depth       int     `toml:"depth"`       // requests in flight on a connection; 1 if 0
	Fresh       bool    `toml:"fresh"`       // a new connection for each request
	Percent     int     `toml:"percent"`     // open loop: the rate, of the target's own ceiling in this run
	Rate        float64 `toml:"rate"`        // open loop: the rate, per second, instead of Percent
	Arrival     Arrival `toml:"arrival"`     // open loop: constant or poisson; constant if empty
	Idle        int     `toml:"idle"`        // connections opened beside the busy ones, that never ask
	Threads     int     `toml:"threads"`     // of the generator; if 0 as many as the placement gives it CPUs

	TimeOut    Duration `toml:"time-out"`    // after which a request counts as not answered; the generator's own, 2 s, if 0
	CheckEvery int      `toml:"check-every"` // one answer in so many is compared byte for byte, the others by status and length; each if 0
	Burst      *Burst   `toml:"burst"`       // open loop: the rate changes, and Percent is that of the burst
}

// Vary holds the values of the one field in which a scenario's cases differ.
type Vary struct {
	Connections []int    `toml:"connections"`
	Depth       []int    `toml:"depth"`
	Percent     []int    `toml:"percent"`
	Idle        []int    `toml:"idle"`
	Size        []Size   `toml:"size"`
	Work        []string `toml:"work"` // of a gateway, each a target.Work
}

// Also is a second look at some cells.
type Also struct {
	Generator Generator `toml:"generator"`
	Targets   []string  `toml:"targets"`
	Cases     []string  `toml:"cases"` // all if empty
}

// Weights says what a scenario contributes to each plan; nil: nothing.
type Weights struct {
	Standard  *Weight `toml:"standard"`
	Reference *Weight `toml:"reference"`
	Smoke     *Weight `toml:"smoke"`
}

// Weight replaces what a scenario says by itself; a zero field leaves it.
type Weight struct {
	Rounds   int      `toml:"rounds"`
	Duration Duration `toml:"duration"`
	WarmUp   Duration `toml:"warm-up"`
	Cases    []string `toml:"cases"`  // of all its cases, these
	Single   bool     `toml:"single"` // neither A/A nor the second generator
	Peers    bool     `toml:"peers"`  // all peers take part; otherwise, of those that nobody named, only nginx
}

// PlanNames are the plans that a scenario file may weigh in, in the order of their length.
var PlanNames = []string{"smoke", "standard", "reference"}

// In returns the weight in the plan of that name, or nil.
func (w Weights) In(plan string) *Weight {
	switch plan {
	case "standard":
		return w.Standard
	case "reference":
		return w.Reference
	case "smoke":
		return w.Smoke
	}
	return nil
}

// The words of a scenario file.
type (
	Loop      string // Closed or Open
	Placement string // One, Split or Shared
	Generator string // ByCorelab, ByUring, ByWrk, ByVegeta or ByH2load
	Arrival   string // Constant or Poisson
	Feature   string // of a core: KeepAlive, Pipelining, Parsing, Concurrent or Holding
)

const (
	Closed Loop = "closed" // a fixed number of connections, each asking again when answered: finds the ceiling
	Open   Loop = "open"   // a fixed rate, whatever the answers do: measures latency

	One    Placement = "one"    // server and generator on the same CPU
	Split  Placement = "split"  // on disjoint halves
	Shared Placement = "shared" // both on all

	ByCorelab Generator = "corelab"
	ByUring   Generator = "corelab-uring" // the same by another engine
	ByWrk     Generator = "wrk"
	ByVegeta  Generator = "vegeta"
	ByH2load  Generator = "h2load"

	Constant Arrival = "constant"
	Poisson  Arrival = "poisson"

	KeepAlive  Feature = "keep-alive"
	Pipelining Feature = "pipelining"
	Parsing    Feature = "parsing"
	Concurrent Feature = "concurrency"
	Holding    Feature = "holding"
)

// own says whether the generator is corelab's, by whichever engine: it can offer every load, and tells when its window is.
func (g Generator) own() bool { return g == ByCorelab || g == ByUring || g == "" }

// Duration is a time.Duration written as Go writes it: "1s", "200ms".
type Duration time.Duration

// UnmarshalText reads a duration that is not negative.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf(`%q is no duration; write it like "1s" or "200ms"`, b)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

// Request is a method and a path.
type Request struct{ Method, Path string }

// ParseRequest reads "GET /path".
func ParseRequest(s string) (Request, error) {
	method, path, ok := strings.Cut(s, " ")
	if !ok || method == "" || !strings.HasPrefix(path, "/") || strings.ContainsAny(s, "\r\n\t\x00") || strings.Contains(path, " ") {
		return Request{}, fmt.Errorf(`%q is no request; write a method, one space and a path, like "GET /plaintext"`, s)
	}
	return Request{method, path}, nil
}

// UnmarshalText reads what [ParseRequest] reads.
func (r *Request) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRequest(string(b))
	return err
}

func (r Request) String() string { return r.Method + " " + r.Path }

// Size is a number of bytes, written as "512", "1KiB" or "16MiB".
type Size int

var sizeUnits = []struct {
	suffix string
	bytes  int
}{{"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(string(b), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil || n*uint64(u.bytes) > 1<<31 {
			break
		}
		*s = Size(int(n) * u.bytes)
		return nil
	}
	return fmt.Errorf(`%q is no size; write it like "512", "16KiB" or "1MiB"`, b)
}

func (s Size) String() string {
	for _, u := range sizeUnits {
		if int(s)%u.bytes == 0 && int(s) >= u.bytes {
			return strconv.Itoa(int(s)/u.bytes) + u.suffix
		}
	}
	return "0"
}

var (
	_ encoding.TextUnmarshaler = (*Size)(nil)
	_ encoding.TextUnmarshaler = (*Request)(nil)
)
