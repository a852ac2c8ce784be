package results

import "strings"

// Text is a value of the figure for people, with its unit where it has one: "51,234 /s", "1.23 ms", "12.1 MiB".
func (f Figure) Text(v float64) string {
	switch unit, _, _ := strings.Cut(f.Unit, "/"); {
	case f.Unit == Throughput.Unit, f.Unit == Offered.Unit:
		return formatCount(v) + " /s"
	case f.Unit == Failed.Unit:
		return formatCount(v)
	case strings.HasSuffix(unit, "-ns"):
		return formatTime(v)
	case f.Unit == Memory.Unit:
		return mebibytes(v) + " MiB"
	}
	return digits(v)
}

// RatioText is an estimated ratio with its interval, or with the range of the rounds where they are too few for one, and with
// Unproven before it unless it is proven.
func (e Estimate) RatioText(proven bool) string { return formatRatio(e, proven) }

// Printable is s without what could drive a terminal or change the order in which a line is read: text of a record, before it
// is escaped for where it is shown.
func Printable(s string) string { return printable(s) }

// Bias is the farthest that a proven A/A ratio lies from 1: what lies nearer is not proven by anything, see [Side].
func Bias(floor []Noise) float64 { return bias(floor) }
