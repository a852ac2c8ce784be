package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"corelab/results"
	"corelab/results/page"
)

// ReportCmd makes a report from a record alone.
type ReportCmd struct {
	Folder   string `arg:"" name:"run" help:"The run's folder, such as results/latest."`
	Format   string `enum:"files,terminal,md,html,csv,json,benchfmt,hgrm,folded,slim" default:"files" help:"files: write report.md, report.html, bench.txt and the pictures into the folder again, and print the tables; otherwise print one format and write nothing: ${enum}. csv has a line for each cell and figure, hgrm the latencies as HdrHistogram's tools take them, folded the stacks of one profile; slim is run.jsonl without the histograms that no table needs, small enough to keep in git."`
	Scenario string `help:"Of csv, hgrm and folded: only this scenario."`
	Case     string `help:"Likewise: only this case, such as connections=50."`
	Target   string `help:"Likewise: only this target."`
}

// Run prints or writes the report.
func (c *ReportCmd) Run() error {
	only := results.Only{Scenario: c.Scenario, Case: c.Case, Target: c.Target}
	if c.Format != "csv" && c.Format != "hgrm" && c.Format != "folded" && only != (results.Only{}) {
		return exitError{exitUsage, "--scenario, --case and --target choose among the cells of --format csv, hgrm and folded; " + c.Format + " is of the whole run"}
	}
	rec, err := results.Read(c.Folder)
	if err != nil {
		return err
	}
	if rec.Torn != "" {
		fmt.Fprintf(os.Stderr, "corelab: %s\n", rec.Torn)
	}
	switch {
	case rec.Run.Compare != nil && (c.Format == "files" || c.Format == "terminal" || c.Format == "json"):
		// A comparison has no tables: it is this one. Its JSON is what compare --json printed.
		found, err := results.Compared(rec)
		if err != nil {
			return err
		}
		return printComparison(found, c.Format == "json")
	case rec.Run.Tuning != nil && c.Format == "json":
		tuned, err := results.Tunings(rec)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(tuned)
	case c.Format == "files":
		if err := writeReport(c.Folder); err != nil {
			return err
		}
		return printSummary(rec)
	case c.Format == "terminal":
		return printSummary(rec)
	case c.Format == "json":
		return printJSON(rec)
	case c.Format == "slim":
		return results.WriteSlim(os.Stdout, rec)
	}
	text, err := formatted(rec, c.Format, only)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

// formatted is the record in one of the formats that are a text as a whole.
func formatted(rec *results.Record, format string, only results.Only) ([]byte, error) {
	switch format {
	case "md":
		return results.Markdown(rec)
	case "html":
		if rec.Run.Compare != nil {
			return nil, errors.New("a comparison has no page: take terminal, md, json, csv or benchfmt")
		}
		return page.Page(rec)
	case "csv":
		return results.CSV(rec, only)
	case "benchfmt":
		return results.Bench(rec)
	case "hgrm":
		return results.HGRM(rec, only)
	case "folded":
		return results.Folded(rec, only)
	}
	panic("corelab: no format " + format)
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
