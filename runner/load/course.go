package load

import (
	"math"
	"time"

	"corelab/results"
)

// Bounds of the course of a window.
const (
	courseStep = 100 * time.Millisecond // between two marks; shorter ones show the kernel's ticks and the timers of the generator
	courseMin  = 5                      // fewer pieces are no course
	courseMax  = 200                    // pieces; in a longer window the steps are longer
)

// course is the step between the marks of a window, and how many there are; none in a short window.
func (s Spec) course() (step time.Duration, marks int) {
	step = max(courseStep, (s.Duration/courseMax+courseStep-1)/courseStep*courseStep)
	if marks = int(s.Duration / step); marks < courseMin {
		return step, 0
	}
	return step, marks
}

// course is what one loop had counted at each mark of its window. The room for it is made beforehand: marking makes no
// garbage, and costs the first loop one reading of each clock, the others none.
type course struct {
	begun int64
	step  int64
	next  int64 // the next mark; far away outside the window
	marks []mark
}

// mark is one of them; a loop that was kept from its CPU may lack some, whose at is zero.
type mark struct {
	at       int64
	requests uint64
	own      time.Duration // CPU time of this process. Only of the first loop, like
	server   time.Duration // that of the observed ones, -1 where a clock could not be read
}

func newCourse(s Spec) course {
	step, n := s.course()
	return course{step: int64(step), next: math.MaxInt64, marks: make([]mark, n)}
}

// begin opens the window.
func (c *course) begin(now int64) {
	c.begun = now
	if len(c.marks) > 0 {
		c.next = now + c.step
	}
}

// end closes it: nothing is marked any more.
func (c *course) end() { c.next = math.MaxInt64 }

// mark keeps what was counted so far as the last mark that has passed.
func (l *loop) mark() {
	c := &l.course
	n := (l.now - c.begun) / c.step // of the marks that have passed, at least one
	if n > int64(len(c.marks)) {
		c.end()
		return
	}
	m := mark{at: l.now, requests: l.tally.requests}
	if l.index == 0 {
		m.own = ownCPU()
		for _, pid := range l.spec.Observe {
			used, err := cpuClock(pid)
			if err != nil {
				m.server = -1
				break
			}
			m.server += used
		}
	}
	c.marks[n-1] = m
	c.next = c.begun + (n+1)*c.step
}

// recordCourse puts together what the loops marked. A piece ends where all loops have a mark.
func recordCourse(loops []*loop) *results.Course {
	first := loops[0]
	out := &results.Course{}
	own, server, known := first.clocks[0].own, time.Duration(0), len(first.spec.Observe) > 0
	for _, used := range first.clocks[0].others {
		known = known && used >= 0
		server += used
	}
	var answered uint64
	for i := range first.course.marks {
		var sum uint64
		all := true
		for _, l := range loops {
			all = all && l.course.marks[i].at != 0
			sum += l.course.marks[i].requests
		}
		if !all {
			continue
		}
		m := first.course.marks[i]
		out.Ends = append(out.Ends, time.Duration(m.at-first.course.begun))
		out.Answered = append(out.Answered, sum-answered)
		out.Client = append(out.Client, m.own-own)
		known = known && m.server >= server
		out.Server = append(out.Server, m.server-server)
		answered, own, server = sum, m.own, m.server
	}
	if !known {
		out.Server = nil
	}
	if len(out.Ends) < courseMin {
		return nil
	}
	return out
}
