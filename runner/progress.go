package runner

import (
	"fmt"
	"io"
	"strings"
	"time"

	"corelab/results"
)

// quiet is how long a Progress that is not on a terminal says nothing.
const quiet = 15 * time.Second

// Progress says what runs and how long is left: on a terminal one line that is written over, else a line now and then. It
// is used by one goroutine at a time. The zero value says nothing.
type Progress struct {
	Out      io.Writer // nil: say nothing
	Terminal bool      // Out understands "\r" and "erase to the end of the line"
	Width    int       // of the terminal; 0: 80

	steps, done  int           // of the whole run
	before       int           // of done: before this part of the run began
	left         time.Duration // estimated for the steps not yet done
	spent, meant time.Duration // on the steps done: really, and by the estimate
	began, said  time.Time
	stepped      time.Time
	shown        bool // the terminal's line is not empty
	failed       int
}

// begin says that so many steps are left of a run in which some are done, if it was interrupted.
func (p *Progress) begin(done, steps int, estimate time.Duration, now time.Time) {
	p.steps, p.done, p.before, p.left, p.began, p.said = done+steps, done, done, estimate, now, now
}

// step says that s begins.
func (p *Progress) step(s Step, now time.Time) {
	p.stepped = now
	if p.Out == nil || !p.Terminal && p.done > p.before && now.Sub(p.said) < quiet {
		return
	}
	p.said = now
	line := fmt.Sprintf("%d/%d  %s  %s  round %d  %s, %s left", p.done+1, p.steps, what(s), s.Target, s.Round, clock(now.Sub(p.began)), clock(p.remaining()))
	if p.failed > 0 {
		line += fmt.Sprintf("  %d failed", p.failed)
	}
	p.line(line)
}

// what names a step's cell.
func what(s Step) string {
	parts := []string{s.Scenario.Name}
	if s.Case.Name != "" {
		parts = append(parts, s.Case.Name)
	}
	switch s.Role {
	case results.RoleAA:
		parts = append(parts, "(A/A)")
	case results.RoleSecond:
		parts = append(parts, "(by "+string(s.Generator)+")")
	case results.RoleObserved:
		parts = append(parts, "(system calls)")
	case results.RoleProfiled:
		parts = append(parts, "(profiles)")
	}
	return strings.Join(parts, " ")
}

// remaining is the estimate of what is left, corrected by how the estimate held so far.
func (p *Progress) remaining() time.Duration {
	if p.meant == 0 {
		return p.left
	}
	return time.Duration(float64(p.left) * float64(p.spent) / float64(p.meant))
}

// ended takes the step off what is left, and says at once what failed.
func (p *Progress) ended(s Step, t results.Trial, now time.Time) {
	p.done++
	p.left -= s.Takes()
	p.meant += s.Takes()
	p.spent += now.Sub(p.stepped)
	if t.Error != "" {
		p.failed++
		p.Say("%s, %s, round %d: %s", what(s), s.Target, s.Round, firstLine(t.Error))
	}
}

// Say writes a line that stays.
func (p *Progress) Say(format string, args ...any) {
	if p.Out == nil {
		return
	}
	p.clear()
	fmt.Fprintf(p.Out, format+"\n", args...)
}

func (p *Progress) line(s string) {
	if !p.Terminal {
		fmt.Fprintln(p.Out, s)
		return
	}
	width := p.Width
	if width <= 0 {
		width = 80
	}
	// A line that is as wide as the terminal wraps, and then cannot be written over.
	if r := []rune(s); len(r) >= width {
		s = string(r[:width-1])
	}
	fmt.Fprint(p.Out, "\r\x1b[K"+s)
	p.shown = true
}

func (p *Progress) clear() {
	if p.shown {
		fmt.Fprint(p.Out, "\r\x1b[K")
		p.shown = false
	}
}

func (p *Progress) end() {
	if p.Out != nil {
		p.clear()
	}
}

// clock writes a time as 1:05 or 1:02:03.
func clock(d time.Duration) string {
	s := int(max(d, 0).Round(time.Second) / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
