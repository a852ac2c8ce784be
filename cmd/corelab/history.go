package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"corelab/results"
)

// HistoryCmd shows a figure over the recorded runs.
type HistoryCmd struct {
	Runs []string `arg:"" optional:"" name:"folder" help:"More runs, or folders of runs, beside those below --out."`

	Out      string   `default:"results" placeholder:"DIR" help:"The folder of runs; those in DIR/reference are read as well."`
	Figure   string   `enum:"${figures}" default:"cost" help:"One of ${figures}. cost is server CPU ÷ generator CPU in the same seconds. All are shown ÷ nginx in the same run, where it has nginx."`
	Absolute bool     `help:"Show the figure as it was measured, not ÷ nginx: it drifts with the machine."`
	Target   []string `sep:"none" placeholder:"TARGET" help:"Only this target, as its row is called. May be repeated; otherwise all but nginx and limits."`
	Scenario []string `default:"plaintext" placeholder:"NAME" help:"Only this scenario, plaintext if none is named; \"all\" for all. May be repeated."`
	Case     []string `placeholder:"NAME" help:"Only this case, such as connections=50. May be repeated."`
	Since    Since    `placeholder:"DATE" help:"Only runs from then on: 2026-11-22, 2026-11-22T10:15:00Z, or 30d or 12h ago."`
	Last     int      `default:"20" placeholder:"20" help:"The last so many runs in each table; 0 shows all. All are read, and what changed is said of all."`
	AnyHost  bool     `help:"Take machines that differ in nothing but the host's name for one, such as a virtual machine that gets another name each time."`
	JSON     bool     `help:"Print the lines as JSON; see results.History."`
	SVG      string   `placeholder:"FILE" help:"Draw the lines into this file as well."`
}

// Since is a moment in the past.
type Since time.Time

// UnmarshalText reads a date, a time, or how long ago it is.
func (s *Since) UnmarshalText(b []byte) error {
	text := string(b)
	for _, layout := range []string{time.DateOnly, time.RFC3339, time.DateTime, "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			*s = Since(t)
			return nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			*s = Since(time.Now().AddDate(0, 0, -int(n)))
			return nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		*s = Since(time.Now().Add(-ago))
		return nil
	}
	return fmt.Errorf("%q is no time; write it like 2026-11-22, 2026-11-22T10:15:00Z, 30d or 12h", text)
}

// figureNames are the values of --figure.
func figureNames() string {
	var names []string
	for _, f := range results.HistoryFigures {
		names = append(names, f.Name)
	}
	return strings.Join(names, ",")
}

// Run reads the runs, and prints what they show.
func (c *HistoryCmd) Run() error {
	if c.Last < 0 {
		return exitError{exitUsage, fmt.Sprintf("--last %d: give a number of runs, or 0 for all", c.Last)}
	}
	dirs, err := c.folders()
	if err != nil {
		return err
	}
	ask := c.ask()
	samples, skipped := readRuns(dirs, ask, reading(os.Stderr))
	h := results.NewHistory(samples, ask)
	h.Skipped = skipped
	if len(h.Lines) == 0 {
		return c.nothing(len(dirs), skipped)
	}
	findSuspects(context.Background(), h)
	if c.SVG != "" {
		if err := c.draw(h); err != nil {
			return err
		}
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(h)
	}
	width, colour := terminal()
	_, err = fmt.Print(results.HistoryText(h, width, colour, c.Last))
	return err
}

func (c *HistoryCmd) ask() results.HistoryAsk {
	ask := results.HistoryAsk{Absolute: c.Absolute, Scenarios: c.Scenario, Cases: c.Case, Targets: c.Target, Since: time.Time(c.Since), AnyHost: c.AnyHost}
	if slices.Contains(c.Scenario, "all") {
		ask.Scenarios = nil
	}
	at := slices.IndexFunc(results.HistoryFigures, func(f results.HistoryFigure) bool { return f.Name == c.Figure })
	ask.Figure = results.HistoryFigures[at]
	return ask
}

// nothing says why there is no line.
func (c *HistoryCmd) nothing(runs int, skipped []string) error {
	for _, s := range skipped {
		fmt.Fprintf(os.Stderr, "corelab: left out: %s\n", s)
	}
	if runs == len(skipped) {
		return fmt.Errorf("none of %d runs could be read", runs)
	}
	return fmt.Errorf("none of %d runs has the figure %s for what was asked; `corelab history --scenario all --last 1` shows what there is", runs-len(skipped), c.Figure)
}

func (c *HistoryCmd) draw(h *results.History) error {
	b, err := results.HistoryPlot(h)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.SVG, b, 0o666); err != nil {
		return fmt.Errorf("write the picture: %w; --svg names a file in a folder that is there", err)
	}
	return nil
}

// folders are those of all runs: a run's own folder, or the runs in a folder of runs. Links are passed over: "latest" is
// one of the others.
func (c *HistoryCmd) folders() ([]string, error) {
	var dirs []string
	add := func(root string) (found bool, err error) {
		if isRun(root) {
			dirs = append(dirs, filepath.Clean(root))
			return true, nil
		}
		entries, err := os.ReadDir(root)
		for _, e := range entries {
			if dir := filepath.Join(root, e.Name()); e.IsDir() && isRun(dir) {
				dirs = append(dirs, dir)
				found = true
			}
		}
		return found, err
	}
	for _, root := range []string{c.Out, filepath.Join(c.Out, "reference")} {
		if _, err := add(root); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("look for runs: %w", err)
		}
	}
	for _, root := range c.Runs {
		found, err := add(root)
		if err == nil && !found {
			err = fmt.Errorf("%s holds no %s, and no folder that does", root, results.RunFile)
		}
		if err != nil {
			return nil, fmt.Errorf("look for runs: %w", err)
		}
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	if len(dirs) == 0 {
		return nil, fmt.Errorf("there is no run below %s: `corelab bench` makes one, --out names another folder", c.Out)
	}
	return dirs, nil
}

func isRun(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, results.RunFile))
	return err == nil && info.Mode().IsRegular()
}

// quietReading is how long reading takes before it is spoken of.
const quietReading = time.Second

// reading returns what is told how many runs of how many were read. It says so once that takes long: on a terminal again
// and again in one line.
func reading(out *os.File) func(n, of int) {
	began, said := time.Now(), false
	line, end := "%s", "\n"
	if term.IsTerminal(int(out.Fd())) {
		line, end = "\r%s\x1b[K", ""
	}
	return func(n, of int) {
		switch {
		case n == of && said && end == "":
			fmt.Fprintf(out, line, "")
		case time.Since(began) < quietReading || said && end != "" || n == of:
		default:
			said = true
			fmt.Fprintf(out, line+end, fmt.Sprintf("reading %d runs, %d done; --since reads fewer, --scenario is quicker than all", of, n))
		}
	}
}

// readRuns reads the runs, on all CPUs, and says which it could not read.
func readRuns(dirs []string, ask results.HistoryAsk, tell func(n, of int)) (samples []results.HistorySample, skipped []string) {
	type outcome struct {
		samples []results.HistorySample
		err     error
	}
	outcomes := make([]outcome, len(dirs))
	todo, done := make(chan int), make(chan struct{})
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(dirs)) {
		workers.Go(func() {
			for i := range todo {
				s, err := results.ReadSamples(dirs[i], ask)
				outcomes[i] = outcome{s, err}
				done <- struct{}{}
			}
		})
	}
	go func() {
		for i := range dirs {
			todo <- i
		}
		close(todo)
		workers.Wait()
		close(done)
	}()
	n := 0
	for range done {
		n++
		tell(n, len(dirs))
	}
	for i, o := range outcomes {
		if o.err != nil {
			skipped = append(skipped, dirs[i]+": "+strings.TrimPrefix(o.err.Error(), "results: "))
		}
		samples = append(samples, o.samples...)
	}
	return samples, skipped
}

// terminal is how wide standard output is, and whether it shows colours.
func terminal() (width int, colour bool) {
	width = plainWidth
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		colour = os.Getenv("NO_COLOR") == ""
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			width = w
		}
	}
	return width, colour
}
