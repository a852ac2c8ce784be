package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Faults is everything that is wrong with a file. The zero Faults is of a configuration that stands in no file.
type Faults struct {
	file      string
	positions map[string]position
	all       []fault
}

type position struct{ line, column int }

type fault struct {
	key, text string
	at        position
}

// maxFaults bounds what is printed: the first ones are mended first.
const maxFaults = 100

// Add notes that something is wrong at a key: the names of tables and keys, and the numbers of an array's elements from 0,
// joined by dots: "routes.3.limit.0.rate". Where the key is not written, its nearest parent is shown.
func (f *Faults) Add(key, format string, args ...any) {
	f.all = append(f.all, fault{key, fmt.Sprintf(format, args...), f.locate(key)})
}

// None reports whether nothing is wrong. A nil Faults has none.
func (f *Faults) None() bool { return f == nil || len(f.all) == 0 }

// Err returns the faults as an error, nil if there are none.
func (f *Faults) Err() error {
	if f.None() {
		return nil
	}
	return f
}

// Error is a line for each fault, in the order of the file: file:line:column: key: what is wrong.
func (f *Faults) Error() string {
	sorted := slices.Clone(f.all)
	slices.SortStableFunc(sorted, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.column, b.at.column), cmp.Compare(a.key, b.key))
	})
	var lines []string
	for i, x := range sorted {
		if i == maxFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(sorted)-i))
			break
		}
		line := x.text
		if x.key != "" {
			line = x.key + ": " + line
		}
		if x.at.line > 0 {
			line = fmt.Sprintf("%s:%d:%d: %s", f.file, x.at.line, x.at.column, line)
		} else if f.file != "" {
			line = f.file + ": " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// locate returns where a key, or its nearest parent that is written, stands.
func (f *Faults) locate(key string) position {
	for key != "" {
		if at, ok := f.positions[key]; ok {
			return at
		}
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
	return position{}
}
