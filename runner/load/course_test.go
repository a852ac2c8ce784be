package load

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"corelab/results"
)

func TestCourseSteps(t *testing.T) {
	for _, c := range []struct {
		window, step time.Duration
		marks        int
	}{
		{499 * time.Millisecond, courseStep, 0}, {500 * time.Millisecond, courseStep, 5}, {1250 * time.Millisecond, courseStep, 12},
		{20 * time.Second, courseStep, 200}, {20050 * time.Millisecond, 2 * courseStep, 100}, {time.Hour, 18 * time.Second, 200},
	} {
		if step, marks := (Spec{Duration: c.window}).course(); step != c.step || marks != c.marks {
			t.Errorf("a window of %v: %d marks, %v apart; want %d, %v", c.window, marks, step, c.marks, c.step)
		}
	}
}

// Two loops, of which the second was kept from its CPU when the third mark passed.
func TestCourseOfTwoLoops(t *testing.T) {
	ms := func(n int) int64 { return int64(time.Duration(n) * time.Millisecond) }
	loops := []*loop{{plan: &plan{spec: Spec{Duration: 700 * time.Millisecond, Observe: []int{1}}}}, {index: 1}}
	for _, l := range loops {
		l.course = newCourse(Spec{Duration: 700 * time.Millisecond})
		l.course.begin(ms(1000))
	}
	loops[0].clocks[0] = instant{own: 5, others: []time.Duration{7}}
	for i := range 7 {
		loops[0].course.marks[i] = mark{at: ms(1101 + 100*i), requests: uint64(10 * (i + 1)), own: 5 + 3*time.Duration(i+1), server: 7 + 2*time.Duration(i+1)}
		if i != 2 {
			loops[1].course.marks[i] = mark{at: ms(1103 + 100*i), requests: uint64(i + 1)}
		}
	}
	got := recordCourse(loops)
	want := &results.Course{
		Ends:     []time.Duration{101 * time.Millisecond, 201 * time.Millisecond, 401 * time.Millisecond, 501 * time.Millisecond, 601 * time.Millisecond, 701 * time.Millisecond},
		Answered: []uint64{11, 11, 22, 11, 11, 11},
		Client:   []time.Duration{3, 3, 6, 3, 3, 3}, Server: []time.Duration{2, 2, 4, 2, 2, 2},
	}
	if got == nil || !slices.Equal(got.Ends, want.Ends) || !slices.Equal(got.Answered, want.Answered) || !slices.Equal(got.Client, want.Client) || !slices.Equal(got.Server, want.Server) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	loops[0].course.marks[4].server = -1
	if got := recordCourse(loops); got == nil || got.Server != nil || len(got.Client) != 6 {
		t.Errorf("with a clock that could not be read: %+v", got)
	}
}

func TestMarksBeyondTheWindowAreNone(t *testing.T) {
	l := &loop{plan: &plan{}, index: 1, tally: &tally{requests: 3}, course: newCourse(Spec{Duration: time.Second})}
	l.course.begin(1000)
	l.now = 1000 + int64(time.Hour)
	l.mark()
	if l.course.next != math.MaxInt64 || slices.ContainsFunc(l.course.marks, func(m mark) bool { return m.at != 0 }) {
		t.Errorf("%+v", l.course)
	}
}

// The pieces of a live window hold the requests and the CPU time of the whole, but for what is behind the last mark.
func TestCourse(t *testing.T) {
	p := plant(t, func(u *turn) { u.write(good) })
	s := p.spec()
	s.Warmup, s.Threads, s.Connections, s.Duration = 20*time.Millisecond, 2, 4, 700*time.Millisecond
	s.Observe = []int{os.Getpid()}
	r, err := Run(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Course
	if c == nil {
		t.Fatalf("no course of a window of %v", r.Elapsed)
	}
	if len(c.Answered) != len(c.Ends) || len(c.Client) != len(c.Ends) || len(c.Server) != len(c.Ends) || !slices.IsSorted(c.Ends) {
		t.Fatalf("%+v", c)
	}
	var answered uint64
	var client, server time.Duration
	for i := range c.Ends {
		answered, client, server = answered+c.Answered[i], client+c.Client[i], server+c.Server[i]
	}
	if answered == 0 || answered > r.Requests || client <= 0 || client > r.CPU || server > r.Observed[0] || server <= 0 {
		t.Errorf("pieces: %d answered, CPU %v, observed %v; the whole: %d, %v, %v", answered, client, server, r.Requests, r.CPU, r.Observed[0])
	}
}
