package conform

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed cases/*.txt
var files embed.FS

// Features are what a case may need. Those behind the first three are of cores, which name them in their Lacks.
var Features = []string{FeatureEcho, FeatureFields, FeatureProbe, "keep-alive", "pipelining", "half-close", "timeouts"}

// Features that the paths of a server decide.
const (
	FeatureEcho   = "echo"
	FeatureFields = "fields"
	FeatureProbe  = "probe"
)

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)
	sectionForm = regexp.MustCompile(`^RFC [0-9]{4} §[0-9A-Z]+(\.[0-9]+)*(, (RFC [0-9]{4} )?§[0-9A-Z]+(\.[0-9]+)*)*$`)
	statusForm  = regexp.MustCompile(`^([1-5][0-9][0-9]|[1-5]xx|ok|none|any)$`)
)

// Load returns the cases of this package, by file and in their order there.
func Load() ([]Case, error) { return LoadFS(files, "cases") }

// LoadFS reads the cases of a folder's files, *.txt. An error names the file and the line.
func LoadFS(fsys fs.FS, dir string) ([]Case, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.txt"))
	if err != nil {
		return nil, fmt.Errorf("find cases: %w", err)
	}
	var all []Case
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read cases: %w", err)
		}
		base := strings.TrimSuffix(path.Base(name), ".txt")
		p := &parser{file: base}
		for i, line := range strings.Split(string(b), "\n") {
			if err := p.line(line); err != nil {
				return nil, fmt.Errorf("cases/%s.txt:%d: %w", base, i+1, err)
			}
		}
		if err := p.finish(); err != nil {
			return nil, fmt.Errorf("cases/%s.txt, at its end: %w", base, err)
		}
		all = append(all, p.cases...)
	}
	return all, nil
}

// parser reads one file, line by line.
type parser struct {
	file, category string
	cases          []Case
	c              *Case // the last of cases
	more           bool  // a further > line belongs to the same write
}

func (p *parser) line(line string) error {
	text := strings.TrimLeft(line, " ")
	indented := len(text) < len(line)
	word, rest, _ := strings.Cut(text, " ")
	more := p.more
	p.more = word == ">"
	switch {
	case strings.TrimSpace(text) == "" || word == "#":
		return nil
	case word == "category":
		p.category = rest
		return nil
	case word == "==":
		return p.begin(rest)
	case p.c == nil:
		return fmt.Errorf("%q stands before the first case", word)
	case indented:
		return p.test(word, rest)
	case slices.Contains([]string{"MUST", "SHOULD", "why", "needs", "sent", "malformed", "misframed"}, word):
		if len(p.c.steps) > 0 {
			return fmt.Errorf("%q stands behind the first step", word)
		}
		return p.head(word, rest)
	}
	return p.step(word, rest, more)
}

// begin starts a case.
func (p *parser) begin(name string) error {
	if err := p.finish(); err != nil {
		return err
	}
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is no name of a case: lower-case letters, digits, '.' and '-'", name)
	}
	id := p.file + "/" + name
	if slices.ContainsFunc(p.cases, func(c Case) bool { return c.ID == id }) {
		return fmt.Errorf("a second case %s", id)
	}
	p.cases = append(p.cases, Case{ID: id, Category: p.category})
	p.c = &p.cases[len(p.cases)-1]
	return nil
}

// finish checks the case that ends.
func (p *parser) finish() error {
	c := p.c
	p.more = false
	switch {
	case c == nil:
		return nil
	case c.Category == "":
		return errors.New("the file names no category")
	case c.Level == "" || c.Why == "":
		return fmt.Errorf("case %s has no level and section, or no why", c.ID)
	case len(c.steps) == 0 || c.steps[0].do != doSend && (c.sent != sentWhole || c.steps[0].do != doQuiet):
		return fmt.Errorf("case %s does not begin with bytes to send", c.ID)
	case !slices.ContainsFunc(c.steps, func(s step) bool { return s.do == doAnswer || s.do == doQuiet || s.do == doEnd }):
		return fmt.Errorf("case %s asks for nothing", c.ID)
	}
	for i, s := range c.steps {
		last := i == len(c.steps)-1
		if s.do == doEnd && !last {
			return fmt.Errorf("case %s goes on behind its line =", c.ID)
		}
		if s.do == doReset && (i != len(c.steps)-2 || c.steps[i+1].end != endAlive) {
			return fmt.Errorf("case %s does not end with = alive behind its reset", c.ID)
		}
	}
	return p.checkFault(c)
}

// checkFault holds a message with a fault to one write and one answer: the second message goes behind them.
func (p *parser) checkFault(c *Case) error {
	if c.fault == faultNone {
		return nil
	}
	answers, last := 0, 0
	for i, s := range c.steps {
		switch s.do {
		case doAnswer:
			if !s.want.interim() {
				answers++
			}
		case doSend, doPause:
			last = i
		case doFin, doReset, doQuiet:
			return fmt.Errorf("case %s: a message with a fault is followed by another one, and cannot half-close, reset or be quiet", c.ID)
		case doEnd:
			if s.end != endClose {
				return fmt.Errorf("case %s: the connection of a message with a fault cannot go on; leave the line = out", c.ID)
			}
		}
		if answers > 0 && last == i {
			return fmt.Errorf("case %s: it sends behind the answer, where the second message stands already", c.ID)
		}
	}
	if answers != 1 {
		return fmt.Errorf("case %s: a message with a fault has one answer", c.ID)
	}
	return nil
}

// head reads a line of a case's head.
func (p *parser) head(word, rest string) error {
	c := p.c
	switch word {
	case "MUST", "SHOULD":
		if !sectionForm.MatchString(rest) {
			return fmt.Errorf(`%q names no section: "RFC 9112 §6.1", or several: "RFC 9112 §6.1, RFC 9110 §8.6"`, rest)
		}
		c.Level, c.Section = Level(word), rest
	case "why":
		c.Why = rest
	case "needs":
		for _, f := range strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ',' }) {
			if !slices.Contains(Features, f) {
				return fmt.Errorf("%q is no feature; there are %s", f, strings.Join(Features, ", "))
			}
			c.Needs = append(c.Needs, f)
		}
	case "sent":
		switch rest {
		case "bytes":
			c.sent = sentBytes
		case "splits":
			c.sent = sentSplits
		default:
			return fmt.Errorf("sent %q: there are bytes and splits", rest)
		}
	case "malformed":
		c.fault = faultMalformed
	case "misframed":
		c.fault = faultMisframed
	}
	return nil
}

// step reads a line of the conversation.
func (p *parser) step(word, rest string, more bool) error {
	c := p.c
	s := step{}
	switch word {
	case ">":
		t, err := parseText(rest)
		if err != nil {
			return err
		}
		if more {
			last := &c.steps[len(c.steps)-1]
			last.text = append(last.text, t...)
			return p.need(t)
		}
		s.do, s.text = doSend, t
		if err := p.need(t); err != nil {
			return err
		}
	case "|":
		s.do = doPause
	case "fin":
		s.do = doFin
	case "reset":
		s.do = doReset
	case "quiet":
		s.do = doQuiet
	case "<":
		w, err := parseWant(rest)
		if err != nil {
			return err
		}
		s.do, s.want = doAnswer, w
	case "=":
		end := slices.Index([]string{"", "close", "serves", "open", "alive"}, rest)
		if end <= 0 {
			return fmt.Errorf("= %q: there are close, serves, open, alive", rest)
		}
		s.do, s.end = doEnd, ending(end)
	default:
		return fmt.Errorf("%q begins no line", word)
	}
	c.steps = append(c.steps, s)
	return nil
}

// need notes that a word of t needs a feature.
func (p *parser) need(t text) error {
	if t.uses("fields") && !slices.Contains(p.c.Needs, FeatureFields) {
		p.c.Needs = append(p.c.Needs, FeatureFields)
	}
	return nil
}

func parseWant(rest string) (*want, error) {
	w := &want{}
	statuses, to, _ := strings.Cut(rest, " to ")
	for _, s := range strings.Fields(statuses) {
		if !statusForm.MatchString(s) {
			return nil, fmt.Errorf("%q is no status: 200, 4xx, ok, none, any", s)
		}
		w.statuses = append(w.statuses, s)
	}
	for _, t := range strings.Fields(to) {
		switch t {
		case "HEAD":
			w.toHead = true
		case "1.0":
			w.toOld = true
		case "0.9":
			w.toAncient = true
		default:
			return nil, fmt.Errorf("to %q: there are HEAD, 1.0 and 0.9", t)
		}
	}
	if len(w.statuses) == 0 {
		return nil, errors.New("no status")
	}
	return w, nil
}

// test reads a line under an answer.
func (p *parser) test(word, rest string) error {
	steps := p.c.steps
	if len(steps) == 0 || steps[len(steps)-1].do != doAnswer {
		return fmt.Errorf("%q stands under no answer", word)
	}
	w := steps[len(steps)-1].want
	t := test{}
	var bytes string
	switch word {
	case "body":
		t.kind, bytes = testBody, rest
		if after, found := strings.CutPrefix(rest, "~ "); found {
			t.kind, bytes = testBodyHas, after
		} else if after, found := strings.CutPrefix(rest, "!~ "); found {
			t.kind, bytes = testBodyHasNot, after
		}
	case "field":
		t.kind, t.name = testFieldThere, rest
		if name, value, found := strings.Cut(rest, " ~ "); found {
			t.kind, t.name, bytes = testFieldHas, name, value
		} else if name, value, found := strings.Cut(rest, ": "); found {
			t.kind, t.name, bytes = testField, name, value
		}
	case "no":
		if rest == "interim" {
			w.alone = true
			return nil
		}
		t.kind, t.name = testFieldNone, rest
	case "like":
		words := strings.Fields(rest)
		if len(words) < 2 {
			return errors.New("it is: like N NAME…")
		}
		n, err := strconv.Atoi(words[0])
		if err != nil || n < 1 {
			return fmt.Errorf("like %q: no number of an answer", words[0])
		}
		t.kind, t.of, t.names = testLike, n, words[1:]
	default:
		return fmt.Errorf("%q asks nothing of an answer", word)
	}
	if word != "body" && word != "like" && t.name == "" {
		return fmt.Errorf("%s names no field", word)
	}
	var err error
	if t.text, err = parseText(bytes); err != nil {
		return err
	}
	w.tests = append(w.tests, t)
	return nil
}
