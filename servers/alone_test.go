package servers_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// alone is the core whose tests run in a process of their own. evio 1.0.8 closes its listener's descriptor twice when it
// ends; in between, the number may have become the socket, epoll or eventfd of another test's core.
const alone = "evio"

// In the process of alone, aloneFolder names the folder in which the transcripts of the other cores lie.
const aloneFolder = "CORELAB_TEST_ALONE"

// inAlone reports whether this is the process of alone.
func inAlone() bool { return os.Getenv(aloneFolder) != "" }

func TestMain(m *testing.M) {
	if inAlone() {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "transcripts")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	transcriptFolder = dir
	code := m.Run()
	if code == 0 && !benchmarks() {
		code = runAlone(dir)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// transcriptFolder is where the process of all but alone leaves its transcripts.
var transcriptFolder string

// benchmarks reports whether go test was asked for more than tests: those have no cores, and write files.
func benchmarks() bool {
	for _, name := range []string{"test.bench", "test.fuzz", "test.list"} {
		if flag.Lookup(name).Value.String() != "" {
			return true
		}
	}
	return false
}

// runAlone runs this binary once more for alone, with the flags that choose tests.
func runAlone(dir string) int {
	var args []string
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "test.run", "test.skip", "test.v", "test.count", "test.cpu", "test.failfast", "test.short", "test.timeout":
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	args = append(args, "-test.parallel=1") // or it would close what its own other tests have just opened
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), aloneFolder+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// keep leaves a for the process of alone.
func (a *transcripts) keep() error {
	b, err := json.Marshal(a.of)
	if err != nil {
		return err
	}
	return os.WriteFile(transcriptPath(transcriptFolder), b, 0o600)
}

// fetch adds what the other process kept.
func (a *transcripts) fetch() error {
	b, err := os.ReadFile(transcriptPath(os.Getenv(aloneFolder)))
	if err != nil {
		return err
	}
	var of map[string]map[string][]byte
	if err := json.Unmarshal(b, &of); err != nil {
		return err
	}
	for name, cores := range of {
		for core, got := range cores {
			a.add(name, core, got)
		}
	}
	return nil
}

func transcriptPath(dir string) string { return filepath.Join(dir, "wire.json") }
