package results

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// ContestTable is a benchmark in Go's format as a table in Markdown: a column for each value of the key in its names, a row for
// the rest of each name, both in the order of the file. A cell is the median of ns/op over the rounds, which are the lines of
// one name in their order, and behind the first column how many times as long as in that one it takes, paired by round, with
// the interval of Confidence.
func ContestTable(in io.Reader, key string) (string, error) {
	c := contest{rounds: map[[2]string]Rounds{}}
	for r := benchfmt.NewReader(in, "the benchmark"); r.Scan(); {
		switch line := r.Result().(type) {
		case *benchfmt.Result:
			c.add(line, key)
		case *benchfmt.SyntaxError:
			return "", fmt.Errorf("results: %w", line)
		}
	}
	if len(c.rows) == 0 {
		return "", errors.New("results: the file has no benchmark whose names have " + key)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|:---|%s\n", strings.Join(c.columns, " | "), strings.Repeat("---:|", len(c.columns)))
	for _, row := range c.rows {
		cells := []string{row}
		first := c.rounds[[2]string{row, c.columns[0]}]
		for i, column := range c.columns {
			cells = append(cells, contestCell(c.rounds[[2]string{row, column}], first, i > 0))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	fmt.Fprintf(&b, "\n- time of one operation, median over rounds, ± the 95 %% interval; ×: how many times as long as in the column %s, paired by round; ~: no difference is proven\n", c.columns[0])
	for _, setting := range c.config {
		fmt.Fprintf(&b, "- %s: %s\n", setting.Key, escapeMarkdown(string(setting.Value)))
	}
	return b.String(), nil
}

// contest is what a file has.
type contest struct {
	rows, columns []string
	rounds        map[[2]string]Rounds // by row and column
	config        []benchfmt.Config
}

func (c *contest) add(line *benchfmt.Result, key string) {
	value, ok := line.Value("sec/op") // the reader makes seconds of ns/op
	_, parts := line.Name.Parts()
	at := slices.IndexFunc(parts, func(p []byte) bool { return strings.HasPrefix(string(p), "/"+key+"=") })
	if !ok || at < 0 {
		return
	}
	column := strings.TrimPrefix(string(parts[at]), "/")
	var row []string
	for i, p := range parts {
		if i != at && p[0] == '/' { // the last one may be the number of CPUs
			row = append(row, strings.TrimPrefix(string(p), "/"))
		}
	}
	place := [2]string{strings.Join(row, " "), column}
	if !slices.Contains(c.rows, place[0]) {
		c.rows = append(c.rows, place[0])
	}
	if !slices.Contains(c.columns, column) {
		c.columns = append(c.columns, column)
	}
	if c.rounds[place] == nil {
		c.rounds[place] = Rounds{}
	}
	c.rounds[place][len(c.rounds[place])] = value * 1e9
	if c.config == nil {
		for _, s := range line.Config {
			s.Value = slices.Clone(s.Value)
			c.config = append(c.config, s)
		}
	}
}

// contestCell is a figure, and its ratio to that of the first column.
func contestCell(own, first Rounds, ratio bool) string {
	var values []float64
	for _, v := range own {
		values = append(values, v)
	}
	e, ok := Median(values)
	if !ok {
		return Dash
	}
	s := digits(e.Median) + " ns"
	if e.N > 1 {
		s += fmt.Sprintf(" ±%.0f %%", 100*e.Spread())
	}
	if r, ok := Paired(own, first); ok && ratio {
		s += " · × " + formatRatio(r, r.Side(1) != 0)
	}
	return s
}
