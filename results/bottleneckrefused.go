package results

import (
	"fmt"
	"slices"
	"strings"
)

// Rules of rows that are refused, and of starved ones. They say what is wrong, and claim no bottleneck beyond it.

// seen is the verdict's own reason, which is all the evidence that a refused row needs.
func (s *scene) seen(more ...[]string) []string {
	all := []string{s.verdict.Reason}
	for _, m := range more {
		all = append(all, m...)
	}
	return all
}

func itFailed(s *scene) (string, []string) {
	m, ok := s.mark(WarnFailed, WarnDied)
	switch {
	case !ok:
		return "", nil
	case m.Rounds == m.Of:
		return "it does not run: " + m.Text, s.seen()
	}
	return fmt.Sprintf("it failed in %d of %d rounds: %s", m.Rounds, m.Of, m.Text), s.seen()
}

func itAnswersWrongly(s *scene) (string, []string) {
	var wrong Errors
	var answers uint64
	for _, t := range s.cell.Trials {
		if t.Load != nil {
			e := t.Load.Errors
			wrong.Status, wrong.Length, wrong.Body, wrong.Parse = wrong.Status+e.Status, wrong.Length+e.Length, wrong.Body+e.Body, wrong.Parse+e.Parse
			answers += t.Load.Requests
		}
	}
	if wrong.Total() == 0 {
		return "", nil
	}
	var kinds []string
	for _, k := range []struct {
		n    uint64
		name string
	}{{wrong.Status, "status"}, {wrong.Length, "length"}, {wrong.Body, "bytes"}, {wrong.Parse, "no HTTP"}} {
		if k.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%s: %s", k.name, formatCount(float64(k.n))))
		}
	}
	return fmt.Sprintf("its answers are wrong (%s, beside %s answers in all): what it costs is not the price of the work",
		strings.Join(kinds, ", "), formatCount(float64(answers))), s.seen()
}

func itWasMisplaced(s *scene) (string, []string) {
	m, ok := s.mark(WarnPlacement)
	if !ok || s.cell.Placement == PlacementShared {
		return "", nil
	}
	return "it did not run where its table says: " + m.Text, s.seen()
}

// littles is what both rules of Little's law begin with: how many requests were in flight by throughput and mean latency, how
// many the connections hold, and by which figures, of the first round that breaks the law.
func (s *scene) littles() (were, can float64, law string, ok bool) {
	for _, t := range s.cell.undisturbed().Trials {
		if t.Error != "" || checkLittle(t).Code == "" {
			continue
		}
		l := t.Load
		rate, _ := Throughput.Of(t)
		return rate * l.Latency.Mean.Seconds(), float64(l.Connections-l.Starved) * s.depth(),
			fmt.Sprintf("%s req/s × %s", formatCount(rate), formatTime(float64(l.Latency.Mean))), true
	}
	return 0, 0, "", false
}

func othersWaitUnseen(s *scene) (string, []string) {
	were, can, law, ok := s.littles()
	if !ok || were >= can {
		return "", nil
	}
	text := fmt.Sprintf("of %s requests that its connections hold only %s were timed at any moment (%s)", formatCount(can), formatCount(were), law)
	if n := s.held(); n > 0 && float64(n) < can {
		return text + fmt.Sprintf(": its %d workers keep a connection each, and the others wait unseen", n), s.seen()
	}
	if n, ok := s.connects(); ok && n >= ConnectShare {
		return text + ": connecting for each of them is not in its latencies", s.seen()
	}
	return text + ": its latencies leave a part of the waiting out", s.seen()
}

func latencyIsUnlikely(s *scene) (string, []string) {
	were, can, law, ok := s.littles()
	if !ok || were <= can {
		return "", nil
	}
	return fmt.Sprintf("its figures contradict each other: such latencies would take %s requests in flight (%s), and its connections hold %s", formatCount(were), law, formatCount(can)), s.seen()
}

func itLostAnswers(s *scene) (string, []string) {
	m, ok := s.mark(WarnErrors)
	if !ok {
		return "", nil
	}
	return "answers were lost, and what is fast may be what was not done: " + m.Text, s.seen()
}

func itIsRefused(s *scene) (string, []string) {
	return "its figures are refused, so that nothing is said of a limit: " + s.verdict.Reason, s.seen()
}

// starving is the trial with the most connections that were never answered; nil where none has any.
func (s *scene) starving() (worst *Trial) {
	for _, t := range s.cell.undisturbed().Trials {
		if t.Load != nil && t.Load.Starved > 0 && (worst == nil || t.Load.Starved > worst.Load.Starved) {
			worst = t
		}
	}
	return worst
}

func starvedWords(t *Trial) string {
	return fmt.Sprintf("%s of %s connections were never answered", formatCount(float64(t.Load.Starved)), formatCount(float64(t.Load.Connections)))
}

// holdShare is how many of a pool's workers must hold a connection for it to be full: at the moment in which they are asked
// one may be between two.
const holdShare = 0.9

// holding is how many workers of the trial keep one connection each for all of its time; 0 where they are fewer than two, or
// hold more or less.
func holding(t *Trial) int {
	n, accepted := 0, uint64(0)
	for _, w := range t.Workers {
		if w.Open > 1 {
			return 0
		}
		if w.Open == 1 {
			n++
		}
		accepted += w.Accepted
	}
	if n < 2 || float64(n) < holdShare*float64(len(t.Workers)) || accepted > uint64(n) {
		return 0 // they take turns
	}
	return n
}

// held is holding of the typical trial.
func (s *scene) held() int {
	if s.typical == nil {
		return 0
	}
	return holding(s.typical)
}

// poolIsFull holds where each worker keeps a connection, or where as many connections were answered as there are workers: the
// workers are asked at the window's end, and may have none any more.
func poolIsFull(s *scene) (string, []string) {
	t := s.starving()
	if t == nil {
		return "", nil
	}
	served, workers := t.Load.Connections-t.Load.Starved, len(t.Workers)
	var seen string
	switch n := holding(t); {
	case n > 0:
		seen = fmt.Sprintf("%d workers keep one connection each, and accept no other meanwhile", n)
	case workers >= 2 && served <= workers && float64(served) >= holdShare*float64(workers):
		seen = fmt.Sprintf("%d connections were answered, and it has %d workers", served, workers)
	default:
		return "", nil
	}
	return "the worker pool is full: " + starvedWords(t), slices.Concat([]string{seen}, s.busySeen(), s.wakeSeen())
}

// openOf is how many connections the server says it has open at the end.
func openOf(t *Trial) (n int64) {
	for _, w := range t.Workers {
		n += w.Open
	}
	return n
}

// neverAccepted holds where the server has just those connections that were answered.
func neverAccepted(s *scene) (string, []string) {
	t := s.starving()
	if t == nil || openOf(t) == 0 || openOf(t) != int64(t.Load.Connections-t.Load.Starved) {
		return "", nil
	}
	return fmt.Sprintf("%s: the server has %s open, so that these were never accepted", starvedWords(t), formatCount(float64(openOf(t)))),
		s.seen(s.busySeen(), s.dropsSeen())
}

func neverAnswered(s *scene) (string, []string) {
	t := s.starving()
	if t == nil {
		return s.verdict.Reason, s.seen()
	}
	text := starvedWords(t)
	if len(t.Workers) > 0 && openOf(t) >= int64(t.Load.Connections) {
		text += ", though they were accepted"
	}
	if rate, ok := s.median(Throughput); ok {
		text += fmt.Sprintf("; the others had %s answers a second among them", formatCount(rate))
	}
	return text, s.seen(s.busySeen(), s.dropsSeen())
}

// dropsSeen are the connections that found a full listen queue.
func (s *scene) dropsSeen() []string {
	if s.loaded == nil || s.loaded.Net == nil || s.loaded.Net.ListenDrops == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the listen queue was full %s times in %s, by the kernel's count of the whole network namespace",
		formatCount(float64(s.loaded.Net.ListenDrops)), formatSpan(s.loaded.Load.Elapsed))}
}

func itWasDisturbed(s *scene) (string, []string) {
	n, of := s.cell.disturbed()
	if 2*n <= of {
		return "", nil
	}
	var who []string
	if m, ok := s.mark(WarnSteal); ok {
		who = append(who, m.Text)
	}
	return fmt.Sprintf("what limits it cannot be said: in %d of %d rounds something else took the CPU", n, of), s.seen(who, s.besideSeen())
}

func nobodyKnowsWhoWasBusy(s *scene) (string, []string) {
	_, okServer := s.median(serverBusy)
	_, okClient := s.median(clientBusy)
	if okServer && okClient {
		return "", nil
	}
	return "what limits it cannot be said: " + s.verdict.Reason, s.seen(s.besideSeen())
}

// besideSeen is what trials of their own say of the row, which bears disturbance better.
func (s *scene) besideSeen() []string { return slices.Concat(s.callsSeen(), s.layersSeen()) }

func itIsTooWide(s *scene) (string, []string) {
	return "what limits it cannot be said: " + s.verdict.Reason, s.seen(s.besideSeen())
}
