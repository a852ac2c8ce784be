package corelab

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"corelab/results"
	"corelab/runner/selftest"
)

var update = flag.Bool("update", false, "write the README's generated block anew from the reference run")

// The committed runs: of the first the README shows the table, and of all the reports are held to the records.
const readmeRun = "results/reference/profiled"

var referenceRuns = []string{readmeRun, "results/reference/peers", "results/reference/bench", "results/reference/tuning", "results/reference/generators", "results/reference/soak", steadyRun}

// steadyRun loads each core of our own for ten seconds without a pause.
const steadyRun = "results/reference/steady"

// selftestRun is the committed selftest.
const selftestRun = "results/reference/selftest"

// TestReadmeTable holds the README's table to the reference run.
func TestReadmeTable(t *testing.T) {
	record, err := results.Read(readmeRun)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := results.ReplaceBlock(readme, "table", results.ReadmeTable(record))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(readme, want) {
		return
	}
	if !*update {
		t.Fatal("the README's table is not that of the reference run; to write it anew: make readme")
	}
	if err := os.WriteFile("README.md", want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReferenceSteady holds the committed run to what every core of ours promises once it is warm: no memory for a request, and
// no garbage collection.
func TestReferenceSteady(t *testing.T) {
	record, err := results.Read(steadyRun)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, trial := range record.Trials {
		if trial.Load == nil || trial.Runtime == nil {
			t.Errorf("%s has no figures", trial.Target)
			continue
		}
		seen[trial.Target] = true
		if perRequest := float64(trial.Runtime.Allocs) / float64(trial.Load.Requests); trial.Runtime.GCs > 0 || perRequest > 0.001 {
			t.Errorf("%s: %d collections, %.4f allocations a request", trial.Target, trial.Runtime.GCs, perRequest)
		}
	}
	for _, core := range []string{"raw", "sequential", "goroutine", "pool", "epoll", "epollpool", "reactor", "evio"} {
		if !seen[core] {
			t.Errorf("no trial is of %s", core)
		}
	}
}

// TestReferenceContests holds the committed tables of benchmarks to what was measured.
func TestReferenceContests(t *testing.T) {
	for folder, key := range map[string]string{"results/reference/parse": "parser", "results/reference/route": "routes"} {
		in, err := os.Open(filepath.Join(folder, "bench.txt"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := results.ContestTable(in, key)
		in.Close()
		if err != nil {
			t.Fatal(err)
		}
		holdTo(t, filepath.Join(folder, "report.md"), []byte(want))
	}
}

// TestReferenceReport holds the committed reports to the committed records.
func TestReferenceReport(t *testing.T) {
	for _, run := range referenceRuns {
		record, err := results.Read(run)
		if err != nil {
			t.Fatal(err)
		}
		files, err := results.Report(record)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range files {
			if strings.HasSuffix(name, ".folded") {
				continue // larger than all else, and made of the profile beside it by report --format folded
			}
			holdTo(t, filepath.Join(run, name), want)
		}
	}
	record, err := results.Read(selftestRun)
	if err != nil {
		t.Fatal(err)
	}
	judged := selftest.Judge(record)
	if !judged.Whole || len(judged.Failing(results.CheckWrong, results.CheckSilent)) > 0 {
		t.Errorf("%s is not whole, or fails", selftestRun)
	}
	holdTo(t, filepath.Join(selftestRun, "report.md"), []byte(judged.Markdown()))
}

// holdTo compares a committed file with what the lab makes of the record, or writes it anew.
func holdTo(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the record gives (%v); to write it anew: make readme", path, err)
	}
}

// TestReadmeLinks finds links to what is not there.
func TestReadmeLinks(t *testing.T) {
	for _, page := range []string{"README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllSubmatch(text, -1) {
			if _, err := os.Stat(string(m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// TestReadmeCommands runs what the README says. A long command runs for less: only its duration is changed, and where the
// record is kept. make is asked what it would do, because this test is a part of make test.
func TestReadmeCommands(t *testing.T) {
	if out, err := exec.Command("go", "build", "-o", "bin/", "./cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shorter := strings.NewReplacer("-d 10s", "-d 300ms", "--rounds 6", "--rounds 1 --duration 300ms",
		"--duration 1s", "--rounds 1 --duration 300ms", " --max 30s", "", "--for 15m", "--for 6s")
	out := t.TempDir()
	for _, line := range readmeCommands(t) {
		parent := t
		t.Run(line, func(t *testing.T) {
			words := split(t, shorter.Replace(line))
			switch {
			case words[0] == "make":
				words = append(words, "-n")
			case words[0] == "export":
				os.Setenv("GATEWAY_ADMIN_KEY", "a-key-of-the-test-0123456789abcdef") // for the lines that follow
				return
			case words[1] == "compare":
				// A verdict takes longer: without one it ends with 3, and with 4 where --fail-if-worse finds what it looks for.
				run(t, append(words, "--max", "6s", "--out", out), 0, 3, 4)
				return
			case words[1] == "knee":
				run(t, append(words, "--max", "8s", "--out", out), 0, 3)
				return
			case words[1] == "selftest":
				// What cannot be judged because the machine is busy ends with 3.
				run(t, append(words, "--quick", "--out", out), 0, 3)
				return
			case words[1] == "profile":
				// It ends with 3 where perf is missing, or may not record here.
				run(t, append(words, "--duration", "200ms", "--out", out), 0, 3)
				return
			case words[1] == "siege":
				// So short a siege proves nothing, which ends with 3.
				run(t, append(words, "--kind", "heads", "--heads", "100", "--rounds", "1", "-d", "300ms", "--out", out), 0, 3)
				return
			case words[1] == "history", words[1] == "soak":
				words = append(words, "--out", out)
			case slices.Contains(words, "--resume"):
				words[3] = filepath.Join(out, "latest")
			case words[1] == "bench":
				words = append(words, "--out", out)
				if strings.HasPrefix(words[2], "gateway") {
					words = append(words, "--case", "work=bare", "--case", "work=all")
				}
				// So short a trial may have no answer at all beside other tests, which ends with 3: then once more.
				if exec.Command(words[0], words[1:]...).Run() == nil {
					return
				}
			case words[1] == "report":
				words[2] = filepath.Join(out, "latest")
			case words[1] == "doctor":
				run(t, words, 0, 1) // it may find something
				return
			case strings.Contains(line, "--addr"):
				serve(parent, t, words)
				return
			}
			run(t, words, 0)
		})
	}
}

// readmeCommands are the lines of the README's sh blocks.
func readmeCommands(t *testing.T) (lines []string) {
	f, err := os.Open("README.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := false
	for s := bufio.NewScanner(f); s.Scan(); {
		switch line := s.Text(); {
		case strings.HasPrefix(line, "```"):
			in = line == "```sh"
		case in && line != "":
			lines = append(lines, line)
		}
	}
	if len(lines) < 10 {
		t.Fatalf("the README has only %d commands", len(lines))
	}
	return lines
}

// split cuts a command into words as a shell does, as far as the README needs it: single quotes.
func split(t *testing.T, line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	if strings.Count(line, "'")%2 == 1 {
		t.Fatalf("%s: an open quote", line)
	}
	return words
}

// commandTime bounds a command. On a fresh machine one builds a core of another revision, beside all other tests.
const commandTime = 7 * time.Minute

func run(t *testing.T, words []string, codes ...int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	output, err := cmd.CombinedOutput()
	for _, code := range codes {
		if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == code {
			return
		}
	}
	t.Errorf("%s: %v\n%s", strings.Join(words, " "), err, output)
}

// serve starts the README's server, and leaves it to the lines behind it until parent ends.
func serve(parent, t *testing.T, words []string) {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, "127.0.0.1:") {
		t.Fatalf("%s said %q, %v\n%s", words[0], line, err, &stderr)
	}
	stop := func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			parent.Errorf("%s: %v", strings.Join(words, " "), err)
		}
	}
	parent.Cleanup(stop)
}
