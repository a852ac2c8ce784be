package runner

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"corelab/results"
)

// Tuning is a file of steps that were made to a server, in the order in which they were tried. Whoever has the file can make
// the whole table again.
type Tuning struct {
	Steps []TuningStep `toml:"step"`
}

// TuningStep is one of them: two targets that differ by it alone, in the grammar of package target.
type TuningStep struct {
	Name       string `toml:"name"`
	Hypothesis string `toml:"hypothesis"`
	Fate       string `toml:"fate"` // one of results.TuningFates
	Note       string `toml:"note"` // on that
	Before     string `toml:"before"`
	After      string `toml:"after"`
	Scenario   string `toml:"scenario"` // NAME[:CASE], with a closed loop; plaintext if empty
}

// Bounds of a file of steps.
const (
	maxTuningBytes = 64 << 10
	maxTuningSteps = 64
)

// tuningScenario is what a step is measured in that names nothing.
const tuningScenario = "plaintext"

// LoadTuning reads a file of steps.
func LoadTuning(path string) (*Tuning, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxTuningBytes {
		err = fmt.Errorf("it is larger than %d bytes", maxTuningBytes)
	}
	var src []byte
	if err == nil {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the steps of %s: %w", path, err)
	}
	return ParseTuning(path, src)
}

// ParseTuning reads a file of steps. An error begins with file:line:column and says what is allowed there.
func ParseTuning(file string, src []byte) (*Tuning, error) {
	t := &Tuning{}
	if err := toml.NewDecoder(bytes.NewReader(src)).DisallowUnknownFields().Decode(t); err != nil {
		return nil, located(file, err)
	}
	if f := t.check(); f != nil {
		line, column := locate(src, f.key)
		return nil, fmt.Errorf("%s:%d:%d: %s", file, line, column, f.text)
	}
	for i := range t.Steps {
		s := &t.Steps[i]
		s.Hypothesis, s.Note = strings.Join(strings.Fields(s.Hypothesis), " "), strings.Join(strings.Fields(s.Note), " ")
		if s.Scenario == "" {
			s.Scenario = tuningScenario
		}
	}
	return t, nil
}

// check returns the first thing that is wrong with what a file said, or nil.
func (t *Tuning) check() *fault {
	if len(t.Steps) == 0 || len(t.Steps) > maxTuningSteps {
		return &fault{"step", fmt.Sprintf("%d steps; write each as a [[step]], from 1 to %d of them", len(t.Steps), maxTuningSteps)}
	}
	for i, s := range t.Steps {
		at := fmt.Sprintf("step.%d", i)
		for _, k := range []struct{ key, value string }{{"name", s.Name}, {"hypothesis", s.Hypothesis}, {"before", s.Before}, {"after", s.After}} {
			if strings.TrimSpace(k.value) == "" {
				return &fault{at, fmt.Sprintf("the step has no %s: a step has name, hypothesis, fate, before and after", k.key)}
			}
		}
		if !slices.Contains(results.TuningFates, s.Fate) {
			return &fault{at + ".fate", fmt.Sprintf("fate = %q: it is one of %s", s.Fate, strings.Join(results.TuningFates, ", "))}
		}
		if slices.ContainsFunc(t.Steps[:i], func(o TuningStep) bool { return o.Name == s.Name }) {
			return &fault{at + ".name", fmt.Sprintf("a step before this one is called %q as well", s.Name)}
		}
	}
	return nil
}

// Only keeps the steps whose names hold word, in any case.
func (t *Tuning) Only(word string) {
	t.Steps = slices.DeleteFunc(t.Steps, func(s TuningStep) bool {
		return !strings.Contains(strings.ToLower(s.Name), strings.ToLower(word))
	})
}

// StepRecord is the record of one step's comparison in that of a run of several: its trials go there, behind those of the steps
// before, and its end does not.
type StepRecord struct {
	Record
	Before int // trials
}

// Append implements Record.
func (r StepRecord) Append(t results.Trial) error {
	t.Position += r.Before
	return r.Record.Append(t)
}

// End keeps the record open for the steps behind.
func (StepRecord) End(results.End) error { return nil }

// Profiled are the trials, behind a comparison that was made, in which its sides are profiled in the same case: perf samples
// each for so long. Like all profiled ones they count for nothing else.
func (c *Comparison) Profiled(sampling time.Duration) (steps []Step) {
	for _, name := range []string{c.A, c.B} {
		steps = append(steps, Step{Cell: Cell{Scenario: c.Scenario, Case: c.Case, Target: name, Role: results.RoleProfiled, Generator: ByCorelab},
			Round: 1, Position: c.position + len(steps) + 1, Duration: sampling, WarmUp: CompareFirst})
	}
	return steps
}
