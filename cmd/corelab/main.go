// Command corelab is the lab: it measures servers, ours and others', and reports what each costs.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// Exit codes of all commands; those of load are with it.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line.
type cli struct {
	Bench    BenchCmd    `cmd:"" help:"Measure targets in scenarios, and report."`
	Compare  CompareCmd  `cmd:"" help:"Hold two targets against each other: is B better or worse than A, and by how much?"`
	Tuning   TuningCmd   `cmd:"" help:"Measure what each step of a file of changes gave: one comparison a step, one table."`
	Knee     KneeCmd     `cmd:"" help:"Find the highest rate at which the p99 of a target stays within a budget."`
	Profile  ProfileCmd  `cmd:"" help:"Record where the time of a target goes: CPU by layer, flame graphs, waiting, and Go's own profiles."`
	Siege    SiegeCmd    `cmd:"" help:"Have hostile clients besiege a target: how are they cut, and what do they cost those who ask rightly?"`
	Soak     SoakCmd     `cmd:"" help:"Keep a target under mixed traffic for long: does anything grow, and is every answer right?"`
	Check    CheckCmd    `cmd:"" help:"Hold a server against HTTP/1.1: hundreds of messages, right and wrong ones, and what the RFCs say of each answer."`
	Load     LoadCmd     `cmd:"" help:"Load one URL with a generator by itself."`
	List     ListCmd     `cmd:"" help:"List cores, peers, scenarios with their questions, generators and plans."`
	Selftest SelftestCmd `cmd:"" help:"Hold the lab against servers whose truth is known: can it be believed on this machine?"`
	Doctor   DoctorCmd   `cmd:"" help:"Say what this machine can and cannot measure, and what to do about it."`
	Report   ReportCmd   `cmd:"" help:"Make the report of a recorded run again."`
	History  HistoryCmd  `cmd:"" help:"Show a figure over all recorded runs, and which commit changed it."`
	Web      WebCmd      `cmd:"" help:"Serve the recorded runs as pages: look through them, put two beside each other, watch one that goes on."`

	Version versionFlag `help:"Print the version and exit."`
}

const about = `A laboratory for server cores: the same HTTP service on interchangeable cores, next to nginx and your own server, under the same load.

Exit codes: 0 done; 1 an error, or what the doctor found missing; 2 a mistake on the command line; 3 done, but some target could not be measured or some answers were wrong, or there was no verdict; 4 worse, as compare --fail-if-worse asks; 130 interrupted, after the record and the report were written.`

// coded is an error with an exit code of its own.
type coded interface {
	error
	ExitCode() int
}

func main() {
	// A file that may grow no more is an error of the write, as a full disk is, and no end of the run.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGXFSZ)
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	code := exitOK
	exited := false
	parser, err := grammar(&cli{}, kong.Exit(func(c int) { code, exited = c, true }))
	if err != nil {
		panic("corelab: the command line cannot be built: " + err.Error())
	}
	ctx, err := parser.Parse(args)
	if exited { // --help or --version
		return code
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "corelab: %v; \"corelab --help\" shows what there is\n", err)
		return exitUsage
	}
	if err := ctx.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "corelab: %v\n", err)
		if c, ok := errors.AsType[coded](err); ok {
			return c.ExitCode()
		}
		return exitFailed
	}
	return exitOK
}

// versionFlag prints the version. What that is takes git where the build did not stamp it: only who asks waits for that.
type versionFlag bool

// BeforeReset is called by kong where the flag is given.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	fmt.Fprintln(app.Stdout, version())
	app.Exit(exitOK)
	return nil
}

// version is what the binary was built from.
func version() string {
	commit := commit()
	if commit == "" {
		commit = "an unknown commit"
	}
	v := "corelab"
	if b, ok := debug.ReadBuildInfo(); ok {
		v += " " + b.Main.Version + " " + b.GoVersion
	}
	return v + " from " + commit
}

// gitBound bounds each question to git.
const gitBound = 2 * time.Second

// commit is the one that the binary was built from, with "+dirty" where the tree was not clean, or "". Where the build
// did not stamp it, it is that of the work tree which holds the binary.
func commit() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var revision, dirty string
	for _, s := range b.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if revision == "" {
		if revision = git("rev-parse", "HEAD"); revision != "" && git("status", "--porcelain", "--untracked-files=no") != "" {
			dirty = "+dirty"
		}
	}
	return revision[:min(12, len(revision))] + dirty
}

// git asks about the work tree that holds this binary; "" where there is none.
func git(args ...string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), gitBound)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", filepath.Dir(self)}, args...)...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
