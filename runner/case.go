package runner

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"corelab/results"
	"corelab/runner/target"
)

// Case is a scenario with every value settled.
type Case struct {
	Name    string // "connections=50"; empty where a scenario has but one
	Shape   Shape
	Request Request
	Body    []byte   // that the answer must have
	Work    string   // of a gateway; empty where the target answers by itself
	Header  []string // beside the scenario's, what the work asks of a client
}

// Cases returns what the scenario's question is asked of, in the order of the file.
func (s *Scenario) Cases() []Case {
	base := Case{Shape: s.Load, Request: s.Request}
	if s.Expect.Body != nil {
		base.Body = []byte(*s.Expect.Body)
	}
	if s.Expect.Size > 0 {
		base.Body = s.Expect.bytes(int(s.Expect.Size))
	}
	var out []Case
	vary := func(key string, values []int, set func(*Case, int)) {
		for _, v := range values {
			c := base
			c.Name = key + "=" + strconv.Itoa(v)
			set(&c, v)
			out = append(out, c)
		}
	}
	vary("connections", s.Vary.Connections, func(c *Case, v int) { c.Shape.Connections = v })
	vary("depth", s.Vary.Depth, func(c *Case, v int) { c.Shape.Depth = v })
	vary("percent", s.Vary.Percent, func(c *Case, v int) { c.Shape.Percent = v })
	vary("idle", s.Vary.Idle, func(c *Case, v int) { c.Shape.Idle = v })
	vary("size", sizes(s.Vary.Size), func(c *Case, v int) {
		c.Name = "size=" + Size(v).String()
		c.Request.Path = strings.ReplaceAll(c.Request.Path, "{size}", strconv.Itoa(v))
		if s.Expect.Repeat != "" {
			c.Body = s.Expect.bytes(v)
		}
	})
	for _, name := range s.Vary.Work {
		c := base
		c.Name = "work=" + name
		out = append(out, c.of(name))
	}
	switch {
	case s.Gateway != nil && s.Gateway.Work != "":
		for i := range out {
			out[i] = out[i].of(s.Gateway.Work)
		}
		base = base.of(s.Gateway.Work)
	}
	if out == nil {
		out = []Case{base}
	}
	return out
}

// of is the case with a gateway that does the work.
func (c Case) of(work string) Case {
	w, _ := target.FindWork(work)
	c.Work, c.Header = work, w.Header
	return c
}

// bytes is the repeated answer of n bytes.
func (e Expect) bytes(n int) []byte {
	return bytes.Repeat([]byte(e.Repeat), n/len(e.Repeat)+1)[:n]
}

// Ask replaces what the scenario asks by a user's own request; its sizes have no place there. A nil body expects what each
// server answers first, a status of 0 any.
func (s *Scenario) Ask(r Request, header []string, content []byte, status int, body *string) {
	s.Request, s.Header, s.Content = r, header, content
	s.Vary.Size = nil
	s.Expect = Expect{Status: status, Body: body}
}

// before is what is asked to verify a server ahead of the load: x, unless the scenario names something else.
func (s *Scenario) before(x target.Exchange) target.Exchange {
	if s.Verify.Path != "" {
		x.Method, x.Path = s.Verify.Method, s.Verify.Path
	}
	return x
}

// CaseNames returns the names of Cases, none where there is but one without a name.
func (s *Scenario) CaseNames() []string {
	var out []string
	for _, c := range s.Cases() {
		if c.Name != "" {
			out = append(out, c.Name)
		}
	}
	return out
}

// Record returns the scenario as the record of a run keeps it, with the cases of that run.
func (s *Scenario) Record(cases []string) results.Scenario {
	return results.Scenario{Name: s.Name, Question: s.Question, Why: strings.TrimSpace(s.Why), Load: s.Words(), Cases: slices.Clone(cases)}
}

// Words says what is offered, in a sentence without a full stop.
func (s *Scenario) Words() string {
	l := s.Load
	parts := []string{s.Request.String()}
	switch {
	case l.Loop == Closed:
		parts = append(parts, "closed loop")
	case l.Burst != nil && l.Percent > 0:
		parts = append(parts, l.Burst.words(fmt.Sprint(l.Percent)), string(l.Arrival)+" arrivals")
	case l.Burst != nil:
		parts = append(parts, l.Burst.words(list(slices.Sorted(slices.Values(s.Vary.Percent)))), string(l.Arrival)+" arrivals")
	case l.Rate > 0:
		parts = append(parts, fmt.Sprintf("open loop at %g requests/s, %s arrivals", l.Rate, l.Arrival))
	case l.Percent > 0:
		parts = append(parts, fmt.Sprintf("open loop at %d %% of each target's own ceiling, %s arrivals", l.Percent, l.Arrival))
	default:
		parts = append(parts, fmt.Sprintf("open loop at %s %% of each target's own ceiling, %s arrivals", list(s.Vary.Percent), l.Arrival))
	}
	switch {
	case s.Vary.Connections != nil:
		parts = append(parts, list(s.Vary.Connections)+" connections")
	default:
		parts = append(parts, plural(l.Connections, "connection"))
	}
	switch {
	case s.Vary.Depth != nil:
		parts = append(parts, list(s.Vary.Depth)+" requests in flight on each")
	case l.Depth > 1:
		parts = append(parts, fmt.Sprintf("%d requests in flight on each", l.Depth))
	}
	if l.Fresh {
		parts = append(parts, "a new one for each request")
	}
	switch {
	case s.Vary.Idle != nil:
		parts = append(parts, "beside "+list(s.Vary.Idle)+" idle ones")
	case l.Idle > 0:
		parts = append(parts, fmt.Sprintf("beside %d idle ones", l.Idle))
	}
	if l.TimeOut > 0 {
		parts = append(parts, fmt.Sprintf("answers count within %v", l.TimeOut))
	}
	if l.CheckEvery > 1 {
		parts = append(parts, fmt.Sprintf("one answer in %d compared byte for byte", l.CheckEvery))
	}
	if g := s.Gateway; g != nil {
		parts = append(parts, "through a gateway to two of "+g.Upstream)
	}
	return strings.Join(append(parts, "placement "+string(s.Placement), "by "+string(s.Generator)), ", ")
}

// list joins values as people do: "50, 100 or 200".
func list(values []int) string {
	var b strings.Builder
	for i, v := range values {
		switch {
		case i > 0 && i == len(values)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(v))
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
