package siege

import (
	"math"
	"slices"
	"strconv"
	"time"

	"corelab/results"
)

// earlyPart is how much before its limit a cut may be seen, as a part of it: a server may take the time once for a whole turn
// of its loop, and so count from before the client came.
const earlyPart = 0.05

// tally counts what became of the foes.
type tally struct {
	spec           Spec
	came, refused  uint64
	sent, received uint64
	how            map[string]uint64
	wrong          uint64
	early, late    uint64
	times          []time.Duration // from provoked to cut
	lingered       []time.Duration // of stubborn ones, from cut to reset
	overdue, young int
	unopened       int
	firsts         int    // foes that came first and were not cut yet
	done           func() // called when there are none left; may be nil
}

// maxTimes bounds the times that are kept, the first ones.
const maxTimes = 1 << 20

func newTally(s Spec, done func()) *tally {
	return &tally{spec: s, how: map[string]uint64{}, firsts: s.Foes, done: done}
}

// answer counts a cut that the server gave a status for.
func (t *tally) answer(f *foe, now int64) {
	if f.cut == 0 {
		how := "not HTTP"
		if status := f.status(); status > 0 {
			how = strconv.Itoa(status)
		}
		t.cut(f, now, how)
	}
}

// closed counts the server's end.
func (t *tally) closed(f *foe, now int64) {
	if f.cut == 0 {
		t.cut(f, now, results.SiegeClose)
	}
}

// reset counts a connection that was broken off.
func (t *tally) reset(f *foe, now int64) {
	switch {
	case f.cut == 0:
		t.cut(f, now, results.SiegeReset)
	case f.stubborn && len(t.lingered) < maxTimes:
		t.lingered = append(t.lingered, time.Duration(now-f.cut))
	}
}

func (t *tally) cut(f *foe, now int64, how string) {
	f.cut = max(now, f.provoked+1)
	if !f.again {
		f.again = true
		if t.firsts--; t.firsts == 0 && t.done != nil {
			t.done()
		}
	}
	t.how[how]++
	if !wanted(t.spec.Kind, how) {
		t.wrong++
	}
	after := time.Duration(f.cut - f.provoked)
	if len(t.times) < maxTimes {
		t.times = append(t.times, after)
	}
	switch {
	case !t.spec.Known:
	case float64(after) < float64(t.spec.Limit)*(1-earlyPart):
		t.early++
	case after > t.spec.Limit+t.spec.Slack:
		t.late++
	}
}

// leave counts a foe that is open when the siege ends.
func (t *tally) leave(f *foe, now int64) {
	switch {
	case f.state == opening:
		t.unopened++
	case f.cut != 0:
	case t.spec.Known && now-f.provoked > int64(t.spec.Limit+t.spec.Slack):
		t.overdue++
	default:
		t.young++
	}
}

// attack is what is recorded.
func (t *tally) attack(l *loop) results.Attack {
	return results.Attack{
		Kind: t.spec.Kind, Foes: t.spec.Foes, Limit: t.spec.Limit, Known: t.spec.Known, Slack: t.spec.Slack, Elapsed: time.Duration(l.now),
		Opened: t.came, Refused: t.refused, Unopened: t.unopened, How: t.how, Wrong: t.wrong, Early: t.early, Late: t.late, Overdue: t.overdue, Young: t.young,
		Cut: spread(t.times), Lingered: spread(t.lingered), Sent: t.sent, Received: t.received,
	}
}

// spread is the distribution of times, exactly; nil of none.
func spread(times []time.Duration) *results.Latency {
	n := len(times)
	if n == 0 {
		return nil
	}
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[min(n-1, int(math.Ceil(q*float64(n)))-1)] }
	var sum float64
	for _, t := range times {
		sum += float64(t)
	}
	return &results.Latency{Count: uint64(n), Mean: time.Duration(sum / float64(n)), Min: times[0], P50: at(0.5), P90: at(0.9), P99: at(0.99), P999: at(0.999), Max: times[n-1]}
}
