package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Dash stands in tables for a figure that is missing. A footnote says why.
const Dash = "–"

// Unproven stands beside a ratio whose interval covers 1.
const Unproven = "~"

// formatCount is v rounded to a whole number, with commas between thousands.
func formatCount(v float64) string {
	s := strconv.FormatFloat(math.Abs(math.Round(v)), 'f', 0, 64)
	var b strings.Builder
	if v <= -0.5 {
		b.WriteByte('-')
	}
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// formatTime is ns nanoseconds with three digits and the unit that fits.
func formatTime(ns float64) string {
	switch v := math.Abs(ns); {
	case v < 999.5:
		return digits(ns) + " ns"
	case v < 999.5e3:
		return digits(ns/1e3) + " µs"
	case v < 999.5e6:
		return digits(ns/1e6) + " ms"
	default:
		return digits(ns/1e9) + " s"
	}
}

// digits is v with three significant digits, and no fewer than those before the point.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 99.95:
		return formatCount(v)
	case a >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.0995 || a == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 4, 64)
	}
}

// micros is ns nanoseconds in microseconds, without the unit.
func micros(ns float64) string { return digits(ns / 1e3) }

// mebibytes is b bytes in MiB, without the unit.
func mebibytes(b float64) string { return strconv.FormatFloat(b/(1<<20), 'f', 1, 64) }

// formatRatio is a ratio with its interval, or the range of the rounds where they are too few: "0.89 (0.87–0.91)", with the
// sign of what is not proven before it.
func formatRatio(e Estimate, proven bool) string {
	lo, hi := e.Range()
	places := 2
	switch {
	case e.Median >= 10:
		places = 1
	case math.Abs(e.Median-1) < 0.05:
		places = 3 // or 0.996 of an interval that does not reach 1 would print as 1
	}
	show := func(v float64) string { return strconv.FormatFloat(v, 'f', places, 64) }
	s := fmt.Sprintf("%s (%s–%s)", show(e.Median), show(lo), show(hi))
	if !proven {
		s = Unproven + " " + s
	}
	return s
}

// formatSpan is a time in the words of a command line, "20s", "1m30s".
func formatSpan(d time.Duration) string {
	s := d.Round(10 * time.Millisecond).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
