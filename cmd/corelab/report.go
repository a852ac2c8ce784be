package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"corelab/results"
)

// ReportCmd makes a report from a record alone.
type ReportCmd struct {
	Folder string `arg:"" name:"run" help:"The run's folder, such as results/latest."`
	Format string `enum:"files,terminal,md,benchfmt,json,slim" default:"files" help:"files: write report.md, bench.txt and the plots into the folder again, and print the tables; otherwise print one format and write nothing: ${enum}. slim is run.jsonl without the histograms that no table needs, small enough to keep in git."`
}

// Run prints or writes the report.
func (c *ReportCmd) Run() error {
	rec, err := results.Read(c.Folder)
	if err != nil {
		return err
	}
	if rec.Torn != "" {
		fmt.Fprintf(os.Stderr, "corelab: %s\n", rec.Torn)
	}
	if rec.Run.Compare != nil && c.Format != "slim" && c.Format != "benchfmt" {
		// A comparison has no tables: it is this one. Its JSON is what compare --json printed.
		found, err := results.Compared(rec)
		if err != nil {
			return err
		}
		return printComparison(found, c.Format == "json")
	}
	switch c.Format {
	case "json":
		return printJSON(rec)
	case "slim":
		return results.WriteSlim(os.Stdout, rec)
	case "terminal":
		return printSummary(rec)
	case "files":
		if err := results.WriteReport(c.Folder); err != nil {
			return err
		}
		return printSummary(rec)
	}
	files, err := results.Report(rec)
	if err != nil {
		return err
	}
	name := results.ReportFile
	if c.Format == "benchfmt" {
		name = results.BenchFile
	}
	_, err = os.Stdout.Write(files[name])
	return err
}

// document is a whole record as one JSON value.
type document struct {
	Folder string          `json:"folder"`
	Run    results.Run     `json:"run"`
	Trials []results.Trial `json:"trials"`
	End    *results.End    `json:"end,omitempty"`
	// Cells are the verdicts, made of the trials: they stand in no record.
	Cells []results.CellVerdict `json:"cells"`
}

func printJSON(rec *results.Record) error {
	dir, err := filepath.Abs(rec.Dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(document{dir, rec.Run, rec.Trials, rec.End, results.Verdicts(rec)})
}

// plainWidth is how wide tables are where there is no terminal to ask.
const plainWidth = 120

func printSummary(rec *results.Record) error {
	width, colour := plainWidth, false
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		colour = os.Getenv("NO_COLOR") == ""
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			width = w
		}
	}
	_, err := fmt.Println(results.Summary(rec, width, colour))
	return err
}
