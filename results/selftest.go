package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Verdicts of a check.
const (
	CheckTruthful = "truthful" // within the tolerance of the truth
	CheckWrong    = "wrong"    // beyond it, on a machine that was calm
	CheckSilent   = "silent"   // no figure, or none of what was planted, and no warning
	CheckBusy     = "busy"     // beyond it, but something else took the CPU in every try: not judged
	CheckLacking  = "lacking"  // the figure cannot be had on this machine: not judged, see Note
)

// Comparisons of a check.
const (
	CompareRelative = "relative" // |found − truth| ≤ tolerance × truth
	CompareAbsolute = "absolute" // |found − truth| ≤ tolerance
	CompareBelow    = "below"    // found < truth, which is a bound
	CompareWord     = "word"     // found_word = truth_word
)

// Units of a check's figures.
const (
	UnitTime  = "ns"
	UnitCount = "count"
	UnitEach  = "per request"
	UnitRate  = "per second"
	UnitBytes = "bytes"
	UnitGrow  = "ns per second" // CPU time of a request, for each second
	UnitWord  = "word"
)

// SelfCheck is one figure held against its planted truth.
type SelfCheck struct {
	Plant     string   `json:"plant"`     // name of what was planted
	Server    string   `json:"server"`    // the planted server, in words
	Load      string   `json:"load"`      // how it was loaded, in words
	Generator string   `json:"generator"` // who loaded it, and reported
	Figure    string   `json:"figure"`
	Unit      string   `json:"unit"`                // one of Unit…
	Compare   string   `json:"compare"`             // one of Compare…
	Tolerance float64  `json:"tolerance,omitempty"` // a share of the truth, or in the unit
	Truth     float64  `json:"truth"`
	Found     *float64 `json:"found"` // null: it reported none
	TruthWord string   `json:"truth_word,omitempty"`
	FoundWord string   `json:"found_word,omitempty"`
	Formula   string   `json:"formula"` // of the truth, with its source
	Verdict   string   `json:"verdict"` // one of Check…
	Note      string   `json:"note,omitempty"`
	Tries     int      `json:"tries"` // of the plant; those before the last were disturbed, or off
}

// Off is how far the figure lies from the truth, as a share of it; ok is false where that has no meaning.
func (c *SelfCheck) Off() (share float64, ok bool) {
	if c.Found == nil || c.Compare != CompareRelative || c.Truth == 0 {
		return 0, false
	}
	return *c.Found/c.Truth - 1, true
}

// Holds reports whether the figure is within its tolerance.
func (c *SelfCheck) Holds() bool {
	if c.Compare == CompareWord {
		return c.FoundWord == c.TruthWord
	}
	if c.Found == nil {
		return false
	}
	off := math.Abs(*c.Found - c.Truth)
	switch c.Compare {
	case CompareBelow:
		return *c.Found < c.Truth
	case CompareAbsolute:
		return off <= c.Tolerance
	}
	return off <= c.Tolerance*math.Abs(c.Truth)
}

// SelfTest is what came of holding the lab against planted truths.
type SelfTest struct {
	Run     string        `json:"run"`
	Host    Host          `json:"host"`
	Commit  string        `json:"commit,omitempty"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Whole   bool          `json:"whole"`             // not interrupted, every plant tried
	Checks  []SelfCheck   `json:"checks"`            // the lab's own figures
	Foreign []SelfCheck   `json:"foreign,omitempty"` // the same figures as other generators report them
	Lacking []string      `json:"lacking,omitempty"` // what could not be held against anything here, and why
}

// Count is the number of the lab's own checks with this verdict.
func (s *SelfTest) Count(verdict string) (n int) {
	for i := range s.Checks {
		if s.Checks[i].Verdict == verdict {
			n++
		}
	}
	return n
}

// Failing names the lab's own checks with one of these verdicts: "stall p99".
func (s *SelfTest) Failing(verdicts ...string) (names []string) {
	for i := range s.Checks {
		if c := &s.Checks[i]; slices.Contains(verdicts, c.Verdict) {
			names = append(names, c.Plant+" "+c.Figure)
		}
	}
	return names
}

// Unjudged names the plants of which something could not be judged, because the machine was busy.
func (s *SelfTest) Unjudged() (plants []string) {
	for i := range s.Checks {
		if c := &s.Checks[i]; c.Verdict == CheckBusy && !slices.Contains(plants, c.Plant) {
			plants = append(plants, c.Plant)
		}
	}
	return plants
}

// Conclusion says in a sentence whether the lab can be believed on this machine.
func (s *SelfTest) Conclusion() string {
	judged := len(s.Checks) - s.Count(CheckBusy) - s.Count(CheckLacking)
	var parts []string
	switch wrong := s.Failing(CheckWrong, CheckSilent); {
	case len(wrong) > 0:
		parts = append(parts, fmt.Sprintf("the lab is WRONG in %d of %d figures: %s", len(wrong), judged, strings.Join(wrong, ", ")))
	case judged == 0:
		parts = append(parts, "nothing could be judged")
	default:
		parts = append(parts, fmt.Sprintf("all %d figures that could be judged are right: what was planted is what the lab reported", judged))
	}
	if n := s.Count(CheckBusy); n > 0 {
		parts = append(parts, fmt.Sprintf("%d could not be judged, the machine was busy in every try: see %s", n, strings.Join(s.Unjudged(), ", ")))
	}
	if n := s.Count(CheckLacking); n > 0 {
		parts = append(parts, fmt.Sprintf("%d cannot be had on this machine", n))
	}
	if !s.Whole {
		parts = append(parts, "the selftest was not finished")
	}
	return strings.Join(parts, "; ")
}

// Markdown is the whole selftest, formulas and their sources included.
func (s *SelfTest) Markdown() string { return s.document(true).markdown() }

// Terminal is the selftest for a terminal that is width columns wide; formulas adds how each truth is known.
func (s *SelfTest) Terminal(width int, colour, formulas bool) string {
	return s.document(formulas).terminal(width, colour)
}

func (s *SelfTest) document(formulas bool) *document {
	d := &document{title: "corelab selftest " + s.Run}
	said := s.Conclusion() + "."
	d.add(paragraph(strings.ToUpper(said[:1]) + said[1:]))
	if len(s.Checks) > 0 {
		d.add(heading{2, "The lab against planted truths"})
		d.add(s.own(formulas))
	}
	if len(s.Foreign) > 0 {
		d.add(heading{2, "Who tells the truth"})
		d.add(s.others())
	}
	if len(s.Lacking) > 0 {
		d.add(heading{2, "What could not be tried here"})
		d.add(list(s.Lacking))
	}
	return d
}

// own is the table of the lab's own figures, in the order of the plants.
func (s *SelfTest) own(formulas bool) *grid {
	g := &grid{columns: []column{{"plant", true}, {"asked", true}, {"truth", false}, {"corelab", false}, {"off", false}, {"verdict", true}}}
	before := ""
	for i := range s.Checks {
		c := &s.Checks[i]
		name := c.Plant
		if name == before {
			name = ""
		}
		before = c.Plant
		truth, verdict := c.truth(), verdictWords[c.Verdict]
		if formulas {
			truth += " " + g.notes.markExactly(c.Formula)
		}
		if c.Note != "" && (c.Verdict != CheckTruthful || formulas) {
			verdict += " " + g.notes.markExactly(c.Note)
		}
		if c.Tries > 1 {
			verdict += fmt.Sprintf(", try %d", c.Tries)
		}
		g.rows = append(g.rows, gridRow{cells: []string{name, c.Figure, truth, c.found(), c.off(), verdict}, doubtful: c.Verdict != CheckTruthful})
	}
	g.facts = append(g.facts, s.plants()...)
	if s.Host.CPU != "" {
		g.facts = append(g.facts, fmt.Sprintf("run %s, commit %s; %s, %d CPUs, kernel %s; %s", s.Run, orElse(s.Commit, "unknown"),
			s.Host.CPU, s.Host.CPUs, s.Host.Kernel, formatSpan(s.Elapsed)))
	}
	return g
}

// verdictWords are the verdicts for people.
var verdictWords = map[string]string{
	CheckTruthful: "truthful", CheckWrong: "WRONG", CheckSilent: "silent",
	CheckBusy: "not judged: the machine was busy", CheckLacking: "not possible here",
}

// plants say once of each plant what it is and how it was loaded.
func (s *SelfTest) plants() (lines []string) {
	before := ""
	for i := range s.Checks {
		if c := &s.Checks[i]; c.Plant != before {
			before = c.Plant
			lines = append(lines, fmt.Sprintf("%s: %s; %s", c.Plant, c.Server, c.Load))
		}
	}
	return lines
}

// others is the table of the figures that other generators were asked for as well, a column for each generator.
func (s *SelfTest) others() *grid {
	g := &grid{columns: []column{{"plant", true}, {"asked", true}, {"truth", false}, {generatorOwn, false}}}
	at := map[string]int{generatorOwn: 3}
	type key struct{ plant, figure string }
	rows := map[key]int{}
	before := ""
	for i := range s.Foreign {
		c := &s.Foreign[i]
		if _, known := at[c.Generator]; !known {
			at[c.Generator] = len(g.columns)
			g.columns = append(g.columns, column{head: c.Generator})
		}
		k := key{c.Plant, c.Figure}
		if _, known := rows[k]; known {
			continue
		}
		rows[k] = len(g.rows)
		name := c.Plant
		if name == before {
			name = ""
		}
		before = c.Plant
		truth := c.truth()
		if c.Unit == UnitCount {
			truth = "100 %"
		}
		g.rows = append(g.rows, gridRow{cells: []string{name, c.Figure, truth, Dash}})
	}
	for i := range g.rows {
		for len(g.rows[i].cells) < len(g.columns) {
			g.rows[i].cells = append(g.rows[i].cells, Dash)
		}
	}
	for _, checks := range [][]SelfCheck{s.Checks, s.Foreign} {
		for i := range checks {
			c := &checks[i]
			if row, asked := rows[key{c.Plant, c.Figure}]; asked {
				g.rows[row].cells[at[c.Generator]] = c.mark()
			}
		}
	}
	g.facts = []string{
		"✓ right, ✗ wrong, silent: it reports nothing of what was planted, – : it has no such figure",
		"wrk and h2load have a closed loop alone, and vegeta counts from when it sent: what they call latency is not what a client who comes at a time of his own choice waits, which is the truth here",
		"counts are shares of what was planted among the answers that the generator itself counted; each had a server of its own",
	}
	return g
}

// mark is the figure and whether it is right, in one cell.
func (c *SelfCheck) mark() string {
	switch {
	case c.Verdict == CheckSilent:
		return CheckSilent
	case c.Found == nil && c.FoundWord == "":
		return Dash
	}
	found := c.found()
	if c.Unit == UnitCount && c.Truth > 0 {
		found = fmt.Sprintf("%.0f %%", 100**c.Found/c.Truth)
	}
	switch c.Verdict {
	case CheckTruthful:
		return found + " ✓"
	case CheckWrong:
		return found + " ✗"
	}
	return found + " (" + c.Verdict + ")"
}

// truth is what the figure must be, with the bound of what is taken for right where that is no share of it.
func (c *SelfCheck) truth() string {
	switch c.Compare {
	case CompareWord:
		return c.TruthWord
	case CompareBelow:
		return "< " + c.format(c.Truth)
	}
	return c.format(c.Truth)
}

func (c *SelfCheck) found() string {
	switch {
	case c.Compare == CompareWord:
		return orElse(c.FoundWord, Dash)
	case c.Found == nil:
		return Dash
	}
	return c.format(*c.Found)
}

// off is the deviation as it stands in the table.
func (c *SelfCheck) off() string {
	switch share, ok := c.Off(); {
	case ok:
		return fmt.Sprintf("%+.1f %%", 100*share)
	case c.Found == nil || c.Compare != CompareAbsolute:
		return ""
	case c.Unit == UnitEach:
		return fmt.Sprintf("%+.3f", *c.Found-c.Truth)
	}
	if d := math.Round(*c.Found - c.Truth); d != 0 {
		return fmt.Sprintf("%+.0f", d)
	}
	return "0"
}

func (c *SelfCheck) format(v float64) string {
	switch c.Unit {
	case UnitTime:
		return formatTime(v)
	case UnitGrow:
		return formatTime(v) + "/s"
	case UnitEach:
		return fmt.Sprintf("%+.3f", v)
	case UnitBytes:
		return mebibytes(v) + " MiB"
	case UnitRate:
		return formatCount(v) + "/s"
	}
	return formatCount(v)
}
