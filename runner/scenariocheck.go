package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of what a scenario may ask for; beyond them a run does not end, or takes the machine down.
const (
	maxConnections = 100_000
	maxDepth       = 1024
	maxRounds      = 1000
	maxThreads     = 256
	maxDuration    = time.Hour
)

// fault is what is wrong with a scenario, at a key.
type fault struct{ key, text string }

// check returns the first thing that is wrong with what a file said, or nil.
func (s *Scenario) check() *fault {
	for _, c := range []func() *fault{s.checkWords, s.checkQuestion, s.checkTimes, s.checkLoad, s.checkBurst, s.checkVary, s.checkGateway, s.checkAlso, s.checkWeights} {
		if f := c(); f != nil {
			return f
		}
	}
	return nil
}

var (
	loops      = []Loop{Closed, Open}
	placements = []Placement{One, Split, Shared}
	generators = []Generator{ByCorelab, ByUring, ByWrk, ByVegeta, ByH2load}
	arrivals   = []Arrival{Constant, Poisson}
	features   = []Feature{KeepAlive, Pipelining, Parsing, Concurrent, Holding}
)

// oneOf refuses a word that is not among the allowed; the empty word is left to who requires one.
func oneOf[T ~string](key string, got T, allowed []T) *fault {
	if got == "" || slices.Contains(allowed, got) {
		return nil
	}
	return &fault{key, fmt.Sprintf("%q is not allowed; allowed: %s", got, words(allowed))}
}

func words[T ~string](in []T) string {
	out := make([]string, len(in))
	for i, w := range in {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}

func (s *Scenario) checkWords() *fault {
	faults := []*fault{
		oneOf("placement", s.Placement, placements),
		oneOf("generator", s.Generator, generators),
		oneOf("load.loop", s.Load.Loop, loops),
		oneOf("load.arrival", s.Load.Arrival, arrivals),
	}
	for _, f := range s.Needs {
		faults = append(faults, oneOf("needs", f, features))
	}
	for i, a := range s.Also {
		faults = append(faults, oneOf(fmt.Sprintf("also.%d.generator", i), a.Generator, generators))
	}
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}

func (s *Scenario) checkQuestion() *fault {
	switch {
	case !strings.HasSuffix(strings.TrimSpace(s.Question), "?"):
		return &fault{"question", `question must be a sentence that ends in "?": a scenario asks one thing`}
	case strings.TrimSpace(s.Why) == "":
		return &fault{"why", "why is missing: say what the answer is good for"}
	case s.Request.Path == "":
		return &fault{"request", `request is missing; write it like request = "GET /plaintext"`}
	case s.Expect.Status != 0 && (s.Expect.Status < 200 || s.Expect.Status > 599):
		return &fault{"expect.status", "status must be between 200 and 599"}
	case s.Expect.Body == nil && s.Expect.Repeat == "":
		return &fault{"expect", "expect.body is missing: an answer that nobody compares proves nothing; give the body, or repeat"}
	case s.Expect.Body != nil && s.Expect.Repeat != "":
		return &fault{"expect.repeat", "body and repeat exclude each other"}
	case s.Expect.Repeat != "" && (s.Vary.Size == nil) == (s.Expect.Size == 0):
		return &fault{"expect.repeat", "repeat needs either vary.size or expect.size, where to cut"}
	case s.Expect.Size > 0 && s.Expect.Repeat == "":
		return &fault{"expect.size", "size says where repeat is cut: give that too"}
	case s.Expect.Size > 64<<20:
		return &fault{"expect.size", "size must be at most 64MiB"}
	case s.Placement == "":
		return &fault{"placement", "placement is missing; allowed: " + words(placements)}
	}
	return nil
}

func (s *Scenario) checkTimes() *fault {
	switch {
	case s.Rounds < 0 || s.Rounds > maxRounds:
		return &fault{"rounds", fmt.Sprintf("rounds must be between 1 and %d", maxRounds)}
	case time.Duration(s.Duration) > maxDuration:
		return &fault{"duration", fmt.Sprintf("duration must be at most %v", maxDuration)}
	}
	return nil
}

func (s *Scenario) checkLoad() *fault {
	l := s.Load
	switch {
	case l.Loop == "":
		return &fault{"load.loop", "load.loop is missing; allowed: " + words(loops)}
	case l.Connections < 0 || l.Connections > maxConnections:
		return &fault{"load.connections", fmt.Sprintf("connections must be between 1 and %d", maxConnections)}
	case l.Connections == 0 && len(s.Vary.Connections) == 0:
		return &fault{"load", "load.connections is missing; give it, or a list of them in [vary]"}
	case l.Depth < 0 || l.Depth > maxDepth:
		return &fault{"load.depth", fmt.Sprintf("depth must be between 1 and %d", maxDepth)}
	case l.Fresh && (l.Depth > 1 || len(s.Vary.Depth) > 0):
		return &fault{"load.fresh", "fresh opens a connection for each request: it has no depth"}
	case l.Threads < 0 || l.Threads > maxThreads:
		return &fault{"load.threads", fmt.Sprintf("threads must be between 1 and %d", maxThreads)}
	case l.Idle < 0 || l.Idle > maxConnections:
		return &fault{"load.idle", fmt.Sprintf("idle must be between 0 and %d", maxConnections)}
	}
	rated := l.Rate != 0 || l.Percent != 0 || len(s.Vary.Percent) > 0
	switch {
	case l.Loop == Closed && rated:
		return &fault{"load", "a closed loop has no rate: its answers set it; take loop = \"open\", or leave rate and percent out"}
	case l.Loop == Open && !rated:
		return &fault{"load", "an open loop needs a rate: give load.rate, load.percent, or vary.percent"}
	case l.Rate < 0:
		return &fault{"load.rate", "rate must be above 0"}
	case l.Rate > 0 && (l.Percent != 0 || len(s.Vary.Percent) > 0):
		return &fault{"load.rate", "rate and percent exclude each other"}
	case l.Percent < 0 || l.Percent > s.maxPercent():
		return &fault{"load.percent", fmt.Sprintf("percent must be between 1 and %d", s.maxPercent())}
	case (s.Generator == ByWrk || s.Generator == ByH2load) && l.Loop == Open:
		return &fault{"generator", string(s.Generator) + " has no open loop; allowed here: corelab, vegeta"}
	case s.Generator == ByVegeta && l.Loop == Closed:
		return &fault{"generator", "vegeta has no closed loop; allowed here: corelab, wrk, h2load"}
	case !s.Generator.own() && (l.Idle > 0 || s.Vary.Idle != nil || l.Fresh):
		return &fault{"generator", "only corelab holds idle connections or opens one for each request"}
	}
	return nil
}

func (s *Scenario) checkVary() *fault {
	v := s.Vary
	lists := 0
	for _, list := range []struct {
		key    string
		values []int
		max    int
	}{
		{"connections", v.Connections, maxConnections}, {"depth", v.Depth, maxDepth}, {"percent", v.Percent, s.maxPercent()},
		{"idle", v.Idle, maxConnections}, {"size", sizes(v.Size), 64 << 20},
	} {
		if list.values == nil {
			continue
		}
		lists++
		sorted := slices.Sorted(slices.Values(list.values))
		switch {
		case len(sorted) == 0:
			return &fault{"vary." + list.key, "an empty list makes no case"}
		case sorted[0] < 1 || sorted[len(sorted)-1] > list.max:
			return &fault{"vary." + list.key, fmt.Sprintf("each value must be between 1 and %d", list.max)}
		case len(slices.Compact(sorted)) != len(list.values):
			return &fault{"vary." + list.key, "a value stands twice"}
		}
	}
	if v.Work != nil {
		lists++
	}
	sized := strings.Contains(s.Request.Path, "{size}")
	switch {
	case lists > 1:
		return &fault{"vary", "cases differ in one thing only: keep one list of connections, depth, percent, idle, size, work"}
	case sized && v.Size == nil:
		return &fault{"request", "{size} needs vary.size, the sizes that it stands for"}
	case !sized && v.Size != nil:
		return &fault{"vary.size", `sizes have no place in the request; write it like request = "GET /bytes/{size}"`}
	case v.Percent != nil && s.Load.Percent != 0:
		return &fault{"load.percent", "percent stands in [vary] too; keep one"}
	}
	return nil
}

func sizes(in []Size) (out []int) {
	for _, s := range in {
		out = append(out, int(s))
	}
	return out
}

func (s *Scenario) checkAlso() *fault {
	for i, a := range s.Also {
		key := fmt.Sprintf("also.%d", i)
		switch {
		case a.Generator == "":
			return &fault{key, "generator is missing; allowed: " + words(generators)}
		case a.Generator == s.Generator || a.Generator == ByCorelab && s.Generator == "":
			return &fault{key + ".generator", "a second look by the same generator shows nothing; take another"}
		case (a.Generator == ByWrk || a.Generator == ByH2load) && s.Load.Loop == Open:
			return &fault{key + ".generator", string(a.Generator) + " has no open loop; allowed here: corelab, vegeta"}
		case a.Generator == ByVegeta && s.Load.Loop == Closed:
			return &fault{key + ".generator", "vegeta has no closed loop; allowed here: corelab, wrk, h2load"}
		case !a.Generator.own() && (s.Load.Idle > 0 || s.Load.Fresh || s.Vary.Idle != nil):
			return &fault{key + ".generator", "only corelab holds idle connections or opens one for each request"}
		case len(a.Targets) == 0:
			return &fault{key, `targets is missing; write it like targets = ["reactor", "nginx"]`}
		}
		if f := s.checkCases(key+".cases", a.Cases); f != nil {
			return f
		}
	}
	return nil
}

func (s *Scenario) checkWeights() *fault {
	for _, name := range PlanNames {
		w := s.Plan.In(name)
		if w == nil {
			continue
		}
		key := "plan." + name
		switch {
		case w.Rounds < 0 || w.Rounds > maxRounds:
			return &fault{key + ".rounds", fmt.Sprintf("rounds must be between 1 and %d", maxRounds)}
		case time.Duration(w.Duration) > maxDuration:
			return &fault{key + ".duration", fmt.Sprintf("duration must be at most %v", maxDuration)}
		}
		if f := s.checkCases(key+".cases", w.Cases); f != nil {
			return f
		}
	}
	return nil
}

func (s *Scenario) checkCases(key string, names []string) *fault {
	known := s.CaseNames()
	for _, n := range names {
		if !slices.Contains(known, n) {
			return &fault{key, fmt.Sprintf("no case %q; there are %s", n, orNone(known))}
		}
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// fill puts the defaults in the place of zero fields.
func (s *Scenario) fill() {
	if s.Expect.Status == 0 {
		s.Expect.Status = 200
	}
	s.Load.Depth = max(s.Load.Depth, 1)
	s.Rounds = max(s.Rounds, 1)
	if s.Generator == "" {
		s.Generator = ByCorelab
	}
	if s.Load.Loop == Open && s.Load.Arrival == "" {
		s.Load.Arrival = Constant
	}
	if s.Duration == 0 {
		s.Duration = Duration(time.Second)
	}
}
