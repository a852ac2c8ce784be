package load

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"corelab/results"
)

// Arrivals of an open loop.
const (
	ArrivalConstant = "constant" // evenly spaced
	ArrivalPoisson  = "poisson"  // independent, exponentially distributed gaps
)

// Loops, as they stand in a result.
const (
	LoopClosed = "closed" // a connection sends its next request when the last one was answered
	LoopOpen   = "open"   // requests are due at given times, whether or not the server keeps up
)

// MaxSpin bounds Spec.Spin. Without it a generator sleeps until a request is due, and its own waking up, some tens of µs on
// a virtual machine, counts into the latency from due. Spinning for 100 µs removes that, and pays only where the generator
// has a CPU to itself: elsewhere it takes the time from the server.
const MaxSpin = time.Millisecond

// Bounds of what a Spec may ask for.
const (
	MaxConnections = 100_000
	MaxDepth       = 1024
	MaxThreads     = 256
	MaxBody        = 64 << 20 // of a request, and of the part of a reply's body that is kept to compare with
)

// Defaults of a Spec's zero fields.
const (
	DefaultConnections = 64
	DefaultDuration    = 10 * time.Second
	DefaultTimeout     = 2 * time.Second
)

// Spec says what to send, on how many connections, for how long. It is handed to a generator's process as JSON.
type Spec struct {
	URL         string        `json:"url"`              // http://host:port/path?query
	Method      string        `json:"method,omitempty"` // default GET
	Header      []string      `json:"header,omitempty"` // "Name: value"; Host, Content-Length and Connection are ours unless given
	Body        []byte        `json:"body,omitempty"`
	Connections int           `json:"connections,omitempty"`
	Depth       int           `json:"depth,omitempty"`    // requests in flight on a connection, sent in one write: pipelining; default 1
	Threads     int           `json:"threads,omitempty"`  // of the generator; default 1
	NewConn     bool          `json:"new_conn,omitempty"` // a connection per request
	Rate        float64       `json:"rate,omitempty"`     // requests per second; 0: closed loop
	Arrival     string        `json:"arrival,omitempty"`  // of an open loop; default constant
	Seed        uint64        `json:"seed,omitempty"`     // of Poisson arrivals
	Phases      []Phase       `json:"phases,omitempty"`   // of an open loop whose rate changes, instead of Rate and Duration; latency is held against Timeout from when a request was due
	Spin        time.Duration `json:"spin_ns,omitempty"`  // open loop: poll instead of sleeping for so long before a request is due; see MaxSpin
	Stamp       bool          `json:"stamp,omitempty"`    // our own, by epoll: have the kernel say when an answer arrived: see results.Load.Wire
	Duration    time.Duration `json:"duration_ns,omitempty"`
	Warmup      time.Duration `json:"warmup_ns,omitempty"` // loaded alike before the window, and not counted; wrk has none
	Timeout     time.Duration `json:"timeout_ns,omitempty"`
	Expect      *Expect       `json:"expect,omitempty"`      // nil: the first whole answer below 400 is the reference
	CheckEvery  int           `json:"check_every,omitempty"` // compare one body in so many, 1 = each (default); below 0: none, and without an expectation no length either
	Observe     []int         `json:"observe,omitempty"`     // processes whose CPU clock is read at the begin and the end of the window
	Idle        int           `json:"idle,omitempty"`        // extra connections that are opened first and say nothing
	Quiet       time.Duration `json:"quiet_ns,omitempty"`    // our own: nothing is sent for so long between warm-up and window, nor after it while the last answers come, which count: who counts from outside in the middle of both counts exactly what the answers cost
	Engine      string        `json:"engine,omitempty"`      // our own: EngineEpoll if empty, or EngineUring
	Announce    bool          `json:"announce,omitempty"`    // our own prints "window BEGIN END", Unix nanoseconds, to standard error before the warm-up
}

// Expect is what every answer must be.
type Expect struct {
	Status int    `json:"status,omitempty"` // 0: any below 400
	Body   []byte `json:"body,omitempty"`   // nil: bytes are not compared with anything given, see Length
	Length int64  `json:"length"`           // of the body, where Body is nil; below 0: the first right answer's body is the reference
}

// Filled returns s with each zero field replaced by its default.
func (s Spec) Filled() Spec {
	if s.Method == "" {
		s.Method = "GET"
	}
	if s.Connections == 0 {
		s.Connections = DefaultConnections
	}
	if s.Depth == 0 {
		s.Depth = 1
	}
	if s.Threads == 0 {
		s.Threads = 1
	}
	s.Threads = min(s.Threads, max(s.Connections, 1))
	if len(s.Phases) > 0 {
		length, rate := whole(s.Phases)
		if s.Duration == 0 {
			s.Duration = length
		}
		if s.Rate == 0 {
			s.Rate = rate
		}
	}
	if s.Rate > 0 && s.Arrival == "" {
		s.Arrival = ArrivalConstant
	}
	if s.Duration == 0 {
		s.Duration = DefaultDuration
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.CheckEvery == 0 {
		s.CheckEvery = 1
	}
	return s
}

// Loop names the loop that s asks for.
func (s Spec) Loop() string {
	if s.Rate > 0 {
		return LoopOpen
	}
	return LoopClosed
}

// Check says what is wrong with a filled Spec, in the words of someone who typed it.
func (s Spec) Check() error {
	u, err := url.Parse(s.URL)
	switch {
	case !strings.Contains(s.URL, "://"):
		return fmt.Errorf("URL %q: want http://host:port/path", s.URL)
	case err != nil:
		return fmt.Errorf("URL: %w", err)
	case u.Scheme == "https":
		return fmt.Errorf("URL %s: TLS is not spoken here: give the address of a plain http:// listener", s.URL)
	case u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("URL %q: want http://host:port/path", s.URL)
	case u.User != nil:
		return fmt.Errorf("URL %s: credentials in a URL are not sent; give a header: -H 'Authorization: …'", u.Redacted())
	case s.Connections < 1 || s.Connections > MaxConnections:
		return fmt.Errorf("%d connections: want 1 to %d", s.Connections, MaxConnections)
	case s.Idle < 0 || s.Idle > MaxConnections:
		return fmt.Errorf("%d idle connections: want 0 to %d", s.Idle, MaxConnections)
	case s.Depth < 1 || s.Depth > MaxDepth:
		return fmt.Errorf("pipelining %d deep: want 1 to %d", s.Depth, MaxDepth)
	case s.Threads < 1 || s.Threads > MaxThreads:
		return fmt.Errorf("%d threads: want 1 to %d", s.Threads, MaxThreads)
	case s.Depth > 1 && s.NewConn:
		return errors.New("pipelining needs a connection that stays open: leave out one of the pipelining depth and the connection per request")
	case s.Depth > 1 && s.Rate > 0:
		return errors.New("pipelining in an open loop would measure the wait behind the own requests: leave out one of the pipelining depth and the rate")
	case s.Rate < 0 || s.Rate > 1e7 || s.Rate != s.Rate:
		return fmt.Errorf("rate %g: want 0 (closed loop) to 1e7 requests per second", s.Rate)
	case s.Arrival != "" && s.Arrival != ArrivalConstant && s.Arrival != ArrivalPoisson:
		return fmt.Errorf("arrival %q: want %s or %s", s.Arrival, ArrivalConstant, ArrivalPoisson)
	case s.Engine != "" && s.Engine != EngineEpoll && s.Engine != EngineUring:
		return fmt.Errorf("engine %q: want %s or %s", s.Engine, EngineEpoll, EngineUring)
	case s.Stamp && (s.Engine == EngineUring || s.Depth > 1):
		return errors.New("stamps are of what one read brings: leave out pipelining, and io_uring")
	case s.Spin < 0 || s.Spin > MaxSpin:
		return fmt.Errorf("spin %v: want 0 to %v", s.Spin, MaxSpin)
	case s.Quiet < 0 || s.Quiet > 0 && s.phased():
		return errors.New("quiet must not be below zero, and has no place between phases")
	case s.Duration <= 0 || s.Warmup < 0 || s.Timeout <= 0:
		return errors.New("duration and time-out must be above zero, and the warm-up not below")
	case len(s.Body) > MaxBody:
		return fmt.Errorf("body of %d bytes: at most %d", len(s.Body), MaxBody)
	}
	if err := s.checkPhases(); err != nil {
		return err
	}
	return s.checkHeader()
}

// checkHeader refuses what would break the framing of our own requests.
func (s Spec) checkHeader() error {
	if s.Method == "" || strings.ContainsAny(s.Method, " \t\r\n") {
		return fmt.Errorf("method %q: want a token such as GET", s.Method)
	}
	for _, h := range s.Header {
		name, _, ok := strings.Cut(h, ":")
		switch {
		case !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsAny(h, "\r\n\x00"):
			return fmt.Errorf("header %q: want 'Name: value'", h)
		case strings.EqualFold(name, "Transfer-Encoding") || strings.EqualFold(name, "Content-Length"):
			return fmt.Errorf("header %q: requests are framed by the generator, from the body it is given", h)
		}
	}
	return nil
}

// Result is what a generator measured in its window.
type Result struct {
	results.Load
	Begin     time.Time         `json:"begin,omitzero"`      // of the window
	End       time.Time         `json:"end,omitzero"`        //
	CPU       time.Duration     `json:"cpu_ns,omitempty"`    // of the generator's process in the window; 0: it cannot say
	Observed  []time.Duration   `json:"observed,omitempty"`  // CPU of each of Spec.Observe in the same window, -1 where it could not be read; nil: it cannot observe
	IdleOpen  int               `json:"idle_open,omitempty"` // of Spec.Idle, still open at the end
	GivenUp   uint64            `json:"given_up,omitempty"`  // in flight at the very end, and younger than the time-out
	Reference string            `json:"reference,omitempty"` // what the answers were held against, when nothing was given: "200, 13 bytes"
	Example   string            `json:"example,omitempty"`   // the first error of the window, in words
	Missing   []results.Missing `json:"missing,omitempty"`   // figures this generator could not have, and why
}

// Generator is a program that loads a server from a process of its own, so that it can be pinned and its CPU measured.
type Generator interface {
	// Name is its name in tables and on the command line.
	Name() string
	// Available is nil, or says what is missing and the command that installs it.
	Available() error
	// Version is the version line of the program, or empty.
	Version() string
	// Command is what to run and what to write to its standard input. self is the path of corelab's own binary.
	// Where the generator can't do what s asks for, the error says so.
	Command(self string, s Spec) (argv []string, stdin []byte, err error)
	// Parse reads what the process printed.
	Parse(stdout, stderr []byte) (Result, error)
}

// Generators is every generator there is, our own first. A new one is one new file and one line here.
var Generators = []Generator{corelabGenerator{}, uringGenerator{}, wrkGenerator{}, vegetaGenerator{}, h2loadGenerator{}}

// Find returns the generator of that name.
func Find(name string) (Generator, bool) {
	for _, g := range Generators {
		if g.Name() == name {
			return g, true
		}
	}
	return nil, false
}
