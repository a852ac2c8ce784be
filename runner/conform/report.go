package conform

import (
	"errors"
	"fmt"
	"strings"
)

// Verdict is what came of a check.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inapplicable Verdict = "not applicable"
)

// Check is one thing that a server does or does not: a case, the message behind one with a fault, or a rule.
type Check struct {
	ID       string  `json:"id"`
	Category string  `json:"category"`
	Section  string  `json:"section"`
	Level    Level   `json:"level"`
	Why      string  `json:"why"` // what the rule says
	Verdict  Verdict `json:"verdict"`
	Reason   string  `json:"reason,omitempty"`   // what came, or why it is not applicable
	Expected string  `json:"expected,omitempty"` // of what failed
	Sent     string  `json:"sent,omitempty"`     // of what failed: the first bytes, escaped and shortened
	Came     string  `json:"came,omitempty"`     // of what failed: likewise

	Conversation []Line `json:"-"` // of a case
}

// Report is what came of all checks on one server.
type Report struct {
	Server string  `json:"server"`
	Path   string  `json:"path"`
	Echo   string  `json:"echo,omitempty"`
	Fields string  `json:"fields,omitempty"`
	Checks []Check `json:"checks"`
}

const (
	smugglingCategory = "smuggling"
	responsesCategory = "responses"
)

// newReport judges the outcomes, one for each case.
func newReport(s *Server, cases []Case, outcomes []*outcome) *Report {
	r := &Report{Server: s.Name, Path: s.Path, Echo: s.Echo, Fields: s.Fields}
	var seconds []Check
	for i := range cases {
		c, o := &cases[i], outcomes[i]
		if o == nil {
			o = new(outcome)
		}
		check := Check{ID: c.ID, Category: c.Category, Section: c.Section, Level: c.Level, Why: c.Why}
		check.settle(o.err, c.expected(), o.lines)
		r.Checks = append(r.Checks, check)
		if c.fault == faultNone {
			continue
		}
		second := Check{ID: c.ID + "+second", Category: smugglingCategory, Section: "RFC 9112 §2.2", Level: Should,
			Why: "Behind a message that breaks the grammar, and is refused, the connection is closed: what follows is not answered."}
		if c.fault == faultMisframed {
			second.Section, second.Level = "RFC 9112 §6.3, §11.2", Must
			second.Why = "Behind a message of which the end is in doubt, and which is refused, nothing is taken for a request."
		}
		second.settle(o.second, "no answer to the second message", o.lines)
		seconds = append(seconds, second)
	}
	r.Checks = append(r.Checks, seconds...)
	r.Checks = append(r.Checks, judgeRules(cases, outcomes)...)
	return r
}

// settle decides the verdict.
func (c *Check) settle(err error, expected string, lines []Line) {
	c.Conversation = lines
	if err == nil {
		c.Verdict = Pass
		return
	}
	c.Verdict, c.Reason = Fail, err.Error()
	if why, ok := errors.AsType[inapplicable](err); ok {
		c.Verdict, c.Reason = Inapplicable, string(why)
		return
	}
	c.Expected = expected
	for _, l := range lines {
		switch {
		case l.From == "client" && c.Sent == "":
			c.Sent = show(l.Bytes)
		case l.From == "server" && c.Came == "":
			c.Came = show(l.Bytes)
		}
	}
}

// maxExamples bounds the cases that are named where answers broke a rule.
const maxExamples = 3

// judgeRules makes a check of each rule, over all answers.
func judgeRules(cases []Case, outcomes []*outcome) []Check {
	var checks []Check
	for i, rule := range Rules {
		check := Check{ID: rule.ID, Category: responsesCategory, Section: rule.Section, Level: rule.Level, Why: rule.Why, Verdict: Inapplicable}
		looked, broken := 0, 0
		var examples []string
		for j, o := range outcomes {
			if o == nil {
				continue
			}
			f := o.rules[i]
			looked, broken = looked+f.looked, broken+f.broken
			if f.broken > 0 && len(examples) < maxExamples {
				examples = append(examples, cases[j].ID+" ("+f.detail+")")
			}
		}
		switch {
		case looked == 0:
			check.Reason = "no answer that it is about"
		case broken == 0:
			check.Verdict = Pass
		default:
			check.Verdict, check.Expected = Fail, rule.Why
			check.Reason = fmt.Sprintf("%d of %d answers: %s", broken, looked, strings.Join(examples, "; "))
		}
		checks = append(checks, check)
	}
	return checks
}

// expected is what a case asks for, in short.
func (c *Case) expected() string {
	var parts []string
	for _, s := range c.steps {
		switch s.do {
		case doAnswer:
			words := strings.Join(s.want.statuses, " or ")
			if len(s.want.tests) > 0 || s.want.alone {
				words += " as described"
			}
			parts = append(parts, words)
		case doQuiet:
			parts = append(parts, "nothing yet")
		case doEnd:
			parts = append(parts, [...]string{endClose: "the connection is closed", endServes: "the connection goes on",
				endOpen: "the connection stays open", endAlive: "the server goes on"}[s.end])
		}
	}
	return strings.Join(parts, ", then ")
}
