package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CompareText is a comparison for people.
func CompareText(c *Comparison) string {
	var b strings.Builder
	wide := max(utf8.RuneCountInString(c.A.Target), utf8.RuneCountInString(c.B.Target))
	for _, s := range []CompareSide{c.A, c.B} {
		fmt.Fprintf(&b, "%-*s   %s\n", wide, s.Target, commandLine(s.Command))
	}
	fmt.Fprintf(&b, "%s: %s\n\n", c.question(), c.Load)
	c.table(&b)
	b.WriteByte('\n')
	for _, line := range c.notes() {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (c *Comparison) question() string {
	if c.Case != "" {
		return c.Scenario + " " + c.Case
	}
	return c.Scenario
}

// table prints the figures in columns.
func (c *Comparison) table(b *strings.Builder) {
	percent := strconv.FormatFloat(100*c.Confidence, 'f', -1, 64) + " %"
	rows := [][]string{{"", "A", "B", "B ÷ A", percent + " interval", "verdict on B"}}
	for _, d := range c.Figures {
		name := d.Name
		if d.Detail {
			name = "  " + name
		}
		if d.Ratio == 0 {
			rows = append(rows, []string{name, Dash, Dash, Dash, Dash, d.verdict()})
			continue
		}
		interval := Dash
		if d.Lo != nil {
			interval = signedPercent(*d.Lo-1) + " … " + signedPercent(*d.Hi-1)
		}
		rows = append(rows, []string{name, d.value(d.A), d.value(d.B), signedPercent(d.Ratio - 1), interval, d.verdict()})
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if left := i == 0 || i == len(row)-1; left {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
			line.WriteString("   ")
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// value is one side's figure with its unit.
func (d *Difference) value(v float64) string {
	switch d.Figure {
	case CompareThroughput:
		return formatCount(v) + " /s"
	case CompareMemory:
		return mebibytes(v) + " MiB"
	case CompareShare:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return formatTime(v)
}

// verdict is the last column.
func (d *Difference) verdict() string {
	switch {
	case d.Detail:
		return ""
	case d.Verdict == NoVerdict:
		return NoVerdict + ": " + d.Why
	case d.Verdict == NoDifference && *d.CouldShow == 0:
		return NoDifference + " at all"
	case d.Verdict == NoDifference:
		return fmt.Sprintf("%s; one of %s would have shown", NoDifference, plainPercent(*d.CouldShow))
	case d.Ratio >= 2:
		return fmt.Sprintf("%s, %s times", d.Verdict, digits(d.Ratio))
	}
	return d.Verdict
}

// notes say what the table stands on.
func (c *Comparison) notes() (lines []string) {
	cpu := c.Find(CompareCPU)
	how := "as server CPU ÷ generator CPU in the same windows, in which the machine's speed falls out"
	switch gen := signedPercent(c.Find(CompareGenerator).Ratio - 1); cpu.Basis {
	case BasisPlain:
		how = "of the server's CPU alone: a request of B costs the generator itself " + gen
	case BasisBoth:
		how = "both ways, and the interval spans both: a request of B seems to cost the generator itself " + gen + ", or the machine changed its speed"
	}
	lines = append(lines, "CPU per request is compared "+how,
		"server and generator share one CPU under SCHED_BATCH: neither takes it from the other in mid-work, so that what the one costs does not change the other")
	line := fmt.Sprintf("%d blocks of fresh processes", c.Blocks)
	if c.Dropped > 0 {
		line += fmt.Sprintf(", %d of them dropped: no window of one side was left", c.Dropped)
	}
	line += fmt.Sprintf("; %d windows of %s, interleaved at random, seed %d; %s", c.Windows, c.Window, c.Seed, c.endedWords())
	lines = append(lines, line, c.leftOutWords())
	if t := cpu.Truth; t != nil {
		line := fmt.Sprintf("planted: the ballast (%s) makes CPU per request %s", c.ballastWords(), signedPercent(*t-1))
		if cpu.Covered != nil {
			line += map[bool]string{true: "; the interval holds it", false: "; the interval does not hold it"}[*cpu.Covered]
		}
		lines = append(lines, line)
	}
	for _, w := range c.Warnings {
		lines = append(lines, "warning: "+w.Text)
	}
	if c.Error != "" {
		lines = append(lines, "failed: "+c.Error)
	}
	return append(lines, "does it see differences where there are none? Compare A with itself: 99 of 100 verdicts must be \""+NoDifference+"\"")
}

// ballastWords names the sides that carry some.
func (c *Comparison) ballastWords() string {
	var words []string
	if c.A.Ballast > 0 {
		words = append(words, formatTime(c.A.Ballast)+" in A")
	}
	if c.B.Ballast > 0 {
		words = append(words, formatTime(c.B.Ballast)+" in B")
	}
	return strings.Join(words, ", ")
}

// manyLeftOut is the part of the windows from which on a comparison says that the machine is too busy for it.
const manyLeftOut = 0.25

func (c *Comparison) leftOutWords() string {
	if c.LeftOut == 0 {
		return "no window was left out because something else took the CPU"
	}
	line := fmt.Sprintf("%d windows were left out because something else took the CPU (%d of A, %d of B)", c.LeftOut, c.LeftOutA, c.LeftOutB)
	if float64(c.LeftOut) > manyLeftOut*float64(c.Windows) {
		line += ": the machine is too busy for a sharp answer; end what else runs, or give it more time with --max"
	}
	return line
}

func (c *Comparison) endedWords() string {
	switch c.Ended {
	case "precise":
		return fmt.Sprintf("ended after %s: known to ±%s, as asked", formatSpan(c.Elapsed), plainPercent(c.Precision))
	case "time":
		return fmt.Sprintf("ended after %s of at most %s", formatSpan(c.Elapsed), formatSpan(c.Max))
	}
	return c.Ended + " after " + formatSpan(c.Elapsed)
}

// signedPercent is a part as percent, with its sign and as many places as it needs: "+0.42 %", "−12 %".
func signedPercent(part float64) string {
	sign := "+"
	if part < 0 {
		sign = "−"
	}
	return sign + plainPercent(part)
}

func plainPercent(part float64) string {
	p := 100 * math.Abs(part)
	places := 2
	switch {
	case p >= 99.95:
		places = 0
	case p >= 9.995:
		places = 1
	}
	return strconv.FormatFloat(p, 'f', places, 64) + " %"
}
