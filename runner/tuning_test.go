package runner

import (
	"strings"
	"testing"
	"time"

	"corelab/results"
)

const stepText = `
[[step]]
name = "raw calls"
hypothesis = """
They tell the scheduler
nothing."""
fate = "kept"
before = "git:v1"
after = "git:v2:epoll --workers 2"

[[step]]
name = "Spin"
hypothesis = "a wait less"
fate = "dropped"
note = "it costs more"
before = "reactor"
after = "reactor --ballast 1us"
scenario = "connections:connections=50"
`

func TestParseTuning(t *testing.T) {
	f, err := ParseTuning("x.toml", []byte(stepText))
	if err != nil {
		t.Fatal(err)
	}
	first := TuningStep{Name: "raw calls", Hypothesis: "They tell the scheduler nothing.", Fate: "kept", Before: "git:v1", After: "git:v2:epoll --workers 2", Scenario: "plaintext"}
	if len(f.Steps) != 2 || f.Steps[0] != first || f.Steps[1].Scenario != "connections:connections=50" || f.Steps[1].Note != "it costs more" {
		t.Errorf("%+v", f.Steps)
	}
	if f.Only("SPIN"); len(f.Steps) != 1 || f.Steps[0].Name != "Spin" {
		t.Errorf("only the second: %+v", f.Steps)
	}
	if f.Only("nothing of it"); len(f.Steps) != 0 {
		t.Errorf("%+v", f.Steps)
	}
}

// TestTuningMistakes has one mistake each; the error says where, and what is allowed.
func TestTuningMistakes(t *testing.T) {
	for name, tt := range map[string]struct{ from, to, says string }{
		"none":        {stepText, "", "x.toml:1:1: 0 steps"},
		"unknown":     {"fate = \"kept\"", "fates = \"kept\"", "x.toml:7:1: unknown key \"fates\""},
		"fate":        {"\"dropped\"", "\"maybe\"", "x.toml:14:1: fate = \"maybe\": it is one of kept, dropped, together"},
		"nameless":    {"name = \"Spin\"", "name = \" \"", "the step has no name"},
		"no before":   {"before = \"reactor\"", "", "the step has no before"},
		"twice":       {"\"Spin\"", "\"raw calls\"", "x.toml:12:1: a step before this one is called \"raw calls\""},
		"not TOML":    {"fate = \"kept\"", "fate = kept", "x.toml:7:"},
		"wrong type":  {"fate = \"kept\"", "fate = 3", "x.toml:7:"},
		"no why here": {"hypothesis = \"a wait less\"", "", "the step has no hypothesis"},
	} {
		_, err := ParseTuning("x.toml", []byte(strings.Replace(stepText, tt.from, tt.to, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadTuning(t.TempDir() + "/nowhere.toml"); err == nil || !strings.Contains(err.Error(), "nowhere.toml") {
		t.Error(err)
	}
}

// tape is a record in memory.
type tape struct {
	trials []results.Trial
	ended  int
}

func (k *tape) Append(t results.Trial) error { k.trials = append(k.trials, t); return nil }
func (k *tape) End(results.End) error        { k.ended++; return nil }

// TestStepRecord has a step's trials numbered behind those before it, and leaves the end to the run.
func TestStepRecord(t *testing.T) {
	all := &tape{}
	var r Record = StepRecord{all, 7}
	if r.Append(results.Trial{Position: 2}) != nil || r.End(results.End{}) != nil {
		t.Fatal("an error from nowhere")
	}
	if len(all.trials) != 1 || all.trials[0].Position != 9 || all.ended != 0 {
		t.Errorf("%+v", all)
	}
}

func TestTuningProfiles(t *testing.T) {
	c := &Comparison{A: "a", B: "b", Scenario: &Scenario{Name: "plaintext"}, position: 16}
	steps := c.Profiled(2 * time.Second)
	if len(steps) != 2 || steps[0].Target != "a" || steps[1].Target != "b" || steps[1].Position != 18 || steps[1].Duration != 2*time.Second {
		t.Errorf("%+v", steps)
	}
	for _, s := range steps {
		if s.Role != results.RoleProfiled {
			t.Errorf("%s is %q: it would count", s.Target, s.Role)
		}
	}
}
