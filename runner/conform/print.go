package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// printable is a name that a user gave, without what could drive a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}

// grid is a table, the head first.
type grid [][]string

// text writes aligned columns.
func (g grid) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range g {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	t.Flush()
}

// markdown writes a table of GitHub's.
func (g grid) markdown(w io.Writer) {
	for i, row := range g {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = strings.NewReplacer("|", `\|`, "<", "&lt;", "&", "&amp;", "*", `\*`, "`", "\\`").Replace(cell)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat(":---|", len(row)))
		}
	}
}

// scores is the table of categories by server: MUST, and behind it SHOULD.
func scores(reports []*Report) grid {
	head := []string{"category"}
	var categories []string
	for _, r := range reports {
		head = append(head, printable(r.Server))
		for _, c := range r.Categories() {
			if !slices.Contains(categories, c) {
				categories = append(categories, c)
			}
		}
	}
	g := grid{head}
	line := func(title, category string) {
		row := []string{title}
		for _, r := range reports {
			s := r.Score(category)
			row = append(row, s.Must.String()+"  "+s.Should.String())
		}
		g = append(g, row)
	}
	for _, c := range categories {
		line(c, c)
	}
	line("all", "")
	return g
}

// String is passed/applicable, with – where nothing is applicable.
func (s Score) String() string {
	if s.Applicable == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d", s.Passed, s.Applicable)
}

// Summary is one sentence about each server: what was asked, and what was not.
func (r *Report) Summary() string {
	s := r.Score("")
	text := fmt.Sprintf("%s: MUST %s, SHOULD %s, %d not applicable; asked %s", printable(r.Server), s.Must, s.Should, s.Inapplicable, printable(r.Path))
	if r.Echo == "" {
		return text + "; no path echoes what is posted, so that content it received was not compared"
	}
	return text + ", posted to " + printable(r.Echo)
}

// reasons lists why checks are not applicable, each once with its number.
func (r *Report) reasons() []string {
	var order []string
	count := map[string]int{}
	for _, c := range r.Checks {
		if c.Verdict != Inapplicable {
			continue
		}
		if count[c.Reason]++; count[c.Reason] == 1 {
			order = append(order, c.Reason)
		}
	}
	for i, reason := range order {
		order[i] = fmt.Sprintf("%d × %s", count[reason], reason)
	}
	return order
}

// legend says what the table holds.
const legend = "Checks passed of those applicable, MUST and then SHOULD. A server conforms when it fails no MUST."

// WriteText writes the scores, and what failed.
func WriteText(w io.Writer, reports []*Report) error {
	var b bytes.Buffer
	b.WriteString(legend + "\n\n")
	scores(reports).text(&b)
	b.WriteByte('\n')
	for _, r := range reports {
		fmt.Fprintln(&b, r.Summary())
	}
	for _, r := range reports {
		for _, level := range []Level{Must, Should} {
			failed := r.Failed(level)
			if len(failed) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n%s fails %d %s\n", printable(r.Server), len(failed), level)
			for _, c := range failed {
				fmt.Fprintf(&b, "  %s  %s %s\n", c.ID, c.Level, c.Section)
				fmt.Fprintf(&b, "      %s\n", c.Why)
				for _, part := range c.parts() {
					fmt.Fprintf(&b, "      %-9s %s\n", part[0], part[1])
				}
			}
		}
		if reasons := r.reasons(); len(reasons) > 0 {
			fmt.Fprintf(&b, "\n%s, not applicable:\n", printable(r.Server))
			for _, reason := range reasons {
				fmt.Fprintf(&b, "  %s\n", printable(reason))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// parts are what is told of a check that failed.
func (c Check) parts() [][2]string {
	var parts [][2]string
	for _, p := range [][2]string{{"sent", c.Sent}, {"expected", c.Expected}, {"found", c.Reason}, {"came", c.Came}} {
		if p[1] != "" {
			parts = append(parts, [2]string{p[0], printable(p[1])})
		}
	}
	return parts
}

// WriteMarkdown writes the same as a page.
func WriteMarkdown(w io.Writer, reports []*Report) error {
	var b bytes.Buffer
	b.WriteString("# Conformance to HTTP/1.1\n\n" + legend + "\n\n")
	scores(reports).markdown(&b)
	b.WriteByte('\n')
	for _, r := range reports {
		fmt.Fprintf(&b, "- %s\n", r.Summary())
	}
	for _, r := range reports {
		g := grid{{"check", "level", "section", "the rule", "what was found"}}
		for _, level := range []Level{Must, Should} {
			for _, c := range r.Failed(level) {
				g = append(g, []string{c.ID, string(c.Level), c.Section, c.Why, printable(c.Reason)})
			}
		}
		if len(g) > 1 {
			fmt.Fprintf(&b, "\n## What %s fails\n\n", printable(r.Server))
			g.markdown(&b)
		}
		if reasons := r.reasons(); len(reasons) > 0 {
			fmt.Fprintf(&b, "\nNot applicable to %s:\n\n", printable(r.Server))
			for _, reason := range reasons {
				fmt.Fprintf(&b, "- %s\n", printable(reason))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// list is all checks that the cases make.
func list(cases []Case) grid {
	g := grid{{"check", "category", "level", "section", "the rule"}}
	for _, c := range newReport(&Server{}, cases, make([]*outcome, len(cases))).Checks {
		g = append(g, []string{c.ID, c.Category, string(c.Level), c.Section, c.Why})
	}
	return g
}

// WriteList writes a table of all checks that the cases make, as Markdown or in aligned columns.
func WriteList(w io.Writer, cases []Case, markdown bool) error {
	var b bytes.Buffer
	if markdown {
		list(cases).markdown(&b)
	} else {
		list(cases).text(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteConversation writes all that was said in a check's case, escaped, with what came of it.
func WriteConversation(w io.Writer, server string, c Check) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s  %s %s\n%s\n\n", printable(server), c.ID, c.Level, c.Section, c.Why)
	for _, l := range c.Conversation {
		mark := map[string]string{"client": "> ", "server": "< "}[l.From]
		if mark == "" {
			fmt.Fprintf(&b, "  (%s)\n", printable(l.Note))
		}
		for line := range bytes.SplitAfterSeq(l.Bytes, []byte("\n")) {
			if len(line) > 0 {
				fmt.Fprintf(&b, "%s%s\n", mark, strings.Trim(strconv.QuoteToASCII(string(line)), `"`))
			}
		}
	}
	fmt.Fprintf(&b, "\n%s", c.Verdict)
	if c.Reason != "" {
		fmt.Fprintf(&b, ": %s", printable(c.Reason))
	}
	if c.Expected != "" {
		fmt.Fprintf(&b, "\nexpected %s", printable(c.Expected))
	}
	b.WriteString("\n\n")
	_, err := w.Write(b.Bytes())
	return err
}

// WriteJSON writes the reports as one line: an array with an object for each server.
func WriteJSON(w io.Writer, reports []*Report) error {
	type category struct {
		Name string `json:"name"`
		Scores
	}
	type whole struct {
		*Report
		Scores
		Categories []category `json:"categories"`
	}
	all := make([]whole, 0, len(reports))
	for _, r := range reports {
		one := whole{Report: r, Scores: r.Score("")}
		for _, name := range r.Categories() {
			one.Categories = append(one.Categories, category{name, r.Score(name)})
		}
		all = append(all, one)
	}
	return json.NewEncoder(w).Encode(all)
}
