package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"runtime/debug"
)

const corelabName = "corelab"

// corelabGenerator is our own: this program in another process.
type corelabGenerator struct{}

func (corelabGenerator) Name() string     { return corelabName }
func (corelabGenerator) Available() error { return nil }

func (corelabGenerator) Version() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		return "corelab " + b.Main.Version
	}
	return corelabName
}

func (g corelabGenerator) Command(self string, s Spec) ([]string, []byte, error) {
	return selfCommand(self, g.Name(), s)
}

func (g corelabGenerator) Parse(stdout, stderr []byte) (Result, error) {
	return selfResult(g.Name(), stdout, stderr)
}

// selfCommand runs a generator that is linked into corelab's own binary.
func selfCommand(self, name string, s Spec) ([]string, []byte, error) {
	s = s.Filled()
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	in, err := json.Marshal(s)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the load: %w", err)
	}
	return []string{self, "load", "--spec", "-", "--generator", name}, in, nil
}

// selfResult reads the line that such a generator prints.
func selfResult(name string, stdout, stderr []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(stdout, &r); err != nil {
		return Result{}, fmt.Errorf("generator %s printed no result: %w; it said: %s", name, err, firstLine(stderr))
	}
	return r, nil
}

// firstLine is the first line that says something.
func firstLine(b []byte) string {
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return string(line)
		}
	}
	return "nothing"
}

// missing says that a program isn't installed, and how to get it.
func missing(program, pkg string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed: apt-get install %s", program, pkg)
	}
	return nil
}
