package results

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Names of the files that Report makes beside its plots.
const (
	ReportFile = "report.md"
	BenchFile  = "bench.txt"
)

// Report makes all that is made of a record: report.md, bench.txt and the plots, by file name. It is a pure function of the
// record: the same record gives the same bytes.
func Report(rec *Record) (map[string][]byte, error) {
	files, err := Plots(rec)
	if err != nil {
		return nil, err
	}
	files[ReportFile] = []byte(Markdown(rec))
	bench, err := Bench(rec)
	if err != nil {
		return nil, err
	}
	files[BenchFile] = bench
	return files, nil
}

// WriteReport reads the record in dir and writes its Report beside it, replacing older files at once each.
func WriteReport(dir string) error {
	rec, err := Read(dir)
	if err != nil {
		return err
	}
	files, err := Report(rec)
	if err != nil {
		return err
	}
	var errs []error
	for name, b := range files {
		errs = append(errs, replaceFile(filepath.Join(dir, name), b))
	}
	return errors.Join(errs...)
}

// replaceFile writes b beside path and renames it there: a reader finds the old file or the new one, never half of one.
func replaceFile(path string, b []byte) error {
	tmp := path + ".new"
	err := os.WriteFile(tmp, b, 0o666)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("results: write a report: %w%s", err, fullDisk(err))
	}
	return nil
}

// Markdown is the whole report as Markdown.
func Markdown(rec *Record) string { return "" }

// Summary is the report for a terminal that is width columns wide, with ANSI colours where colour is set.
func Summary(rec *Record, width int, colour bool) string { return "" }

// ReadmeTable is the short Markdown table of the scenario plaintext that the README holds.
func ReadmeTable(rec *Record) string { return "" }

// ReplaceBlock puts content between the markers <!-- lab:name --> and <!-- /lab:name --> of readme.
func ReplaceBlock(readme []byte, name, content string) ([]byte, error) { return readme, nil }

// Plots makes the pictures, by file name.
func Plots(rec *Record) (map[string][]byte, error) { return map[string][]byte{}, nil }

// Bench is the record in the Go benchmark format.
func Bench(rec *Record) ([]byte, error) { return nil, nil }
