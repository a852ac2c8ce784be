package results

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Verdicts on a target that was besieged.
const (
	SiegeHolds    = "holds"
	SiegeFails    = "does not hold"
	SiegeNotShown = "not shown"  // it does all but that the interval of the p99's ratio reaches beyond the bound
	SiegeUnjudged = "not judged" // its limits are not known
)

// What holding means, beside the bound on p99 that the run names.
const (
	siegeLost      = 0.01     // of the ordinary requests may be lost beside a siege
	siegeReserve   = 16 << 10 // KiB that a server may take beside what each hostile client may cost: garbage not yet collected
	siegeEach      = 20       // KiB for each: a whole head, and a connection
	siegeEachBig   = 320      // KiB for each that has large answers waiting: the output that a connection may hold
	siegeEachPause = 8        // KiB for each that says nothing
)

// SiegeRow is what a run says of one target besieged by one kind of clients.
type SiegeRow struct {
	Target  string `json:"target"`
	Kind    string `json:"kind"`
	Verdict string `json:"verdict"` // one of the Siege constants
	// Reasons say in words why it does not hold, or is not shown to.
	Reasons []string `json:"reasons,omitempty"`

	Foes    int               `json:"foes"` // at a time
	Limit   time.Duration     `json:"limit_ns"`
	Known   bool              `json:"limit_known"`
	Opened  uint64            `json:"opened"`            // hostile connections, all rounds
	How     map[string]uint64 `json:"how,omitempty"`     // how they were cut
	Wrong   uint64            `json:"wrong,omitempty"`   // of these, not as the kind calls for
	Early   uint64            `json:"early,omitempty"`   // before the limit
	Late    uint64            `json:"late,omitempty"`    // after the limit and the slack
	Overdue int               `json:"overdue,omitempty"` // not cut at all, though long due
	CutP50  time.Duration     `json:"cut_p50_ns,omitempty"`
	CutMax  time.Duration     `json:"cut_max_ns,omitempty"`

	Before    uint64        `json:"memory_before_kib"` // of the server, before the first siege
	Peak      uint64        `json:"memory_peak_kib"`   // the most of all rounds
	After     uint64        `json:"memory_after_kib"`  // after the last
	PerFoe    float64       `json:"memory_per_foe_kib"`
	Sockets   uint64        `json:"sockets_peak_kib"` // the kernel's, for both ends
	FilesLeft int           `json:"files_left"`       // more than before any siege, the worst round
	Back      time.Duration `json:"files_back_ns"`    // until they were as many as before, the worst round

	P99      time.Duration `json:"p99_alone_ns"`      // of the ordinary clients, the median of rounds
	P99Low   time.Duration `json:"p99_alone_low_ns"`  // the least and the most of a round: what the machine makes of it by itself
	P99High  time.Duration `json:"p99_alone_high_ns"` //
	P99Beset time.Duration `json:"p99_beset_ns"`
	P50      time.Duration `json:"p50_alone_ns"`
	P50Beset time.Duration `json:"p50_beset_ns"`
	Ratio    *SiegeRatio   `json:"p99_ratio"`       // with ÷ without, paired by round; null where there is none
	Ratio90  *SiegeRatio   `json:"p90_ratio"`       // so too, of p90, to which a stall of the machine means less
	CPU      *SiegeRatio   `json:"cpu_ratio"`       // of the server's CPU time at the same rate
	Lost     float64       `json:"lost"`            // of the ordinary requests beside the siege, as a part
	LeftOut  int           `json:"left_out"`        // windows in which something else took the CPU
	Noisy    bool          `json:"noisy,omitempty"` // that was so in all of one side, and they count
	Error    string        `json:"error,omitempty"` // the first
}

// SiegeRatio is a median of ratios by round, with its interval, or the range of the rounds where they are too few.
type SiegeRatio struct {
	Rounds  int     `json:"rounds"`
	Median  float64 `json:"median"`
	Lo      float64 `json:"lo"`
	Hi      float64 `json:"hi"`
	Bounded bool    `json:"bounded"` // Lo and Hi are the interval at Confidence
}

// SiegeRows are the rows of a run's table, in the order of the run; nil in a run of another kind.
func SiegeRows(rec *Record) []SiegeRow {
	if rec.Run.Siege == nil {
		return nil
	}
	var rows []SiegeRow
	for _, t := range rec.Run.Targets {
		for _, kind := range rec.Run.Siege.Kinds {
			if r, ok := siegeRow(rec, t.Name, kind); ok {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// siegeRow reads one row's trials.
func siegeRow(rec *Record, name, kind string) (SiegeRow, bool) {
	r := SiegeRow{Target: name, Kind: kind, How: map[string]uint64{}}
	var lost, due float64
	var calm, all siegeWindows
	found := false
	for i := range rec.Trials {
		t := &rec.Trials[i]
		if t.Role != RoleSiege || t.Target != name || t.Siege == nil || t.Siege.Kind != kind {
			continue
		}
		found = true
		side := 0
		if t.Siege.With {
			side = 1
			r.attack(t.Siege)
		}
		if t.Error != "" && r.Error == "" {
			r.Error = t.Error
		}
		if t.Load == nil {
			if t.Siege.With { // not even a connection came about
				lost, due = lost+1, due+1
			}
			continue
		}
		if side == 1 {
			l, d := siegeLoss(t.Load)
			lost, due = lost+l, due+d
		}
		all.add(side, t)
		if Disturbed(t) {
			r.LeftOut++
		} else {
			calm.add(side, t)
		}
	}
	if !found {
		return r, false
	}
	if due > 0 {
		r.Lost = lost / due
	}
	use := &calm
	if len(calm.p99[0]) == 0 || len(calm.p99[1]) == 0 {
		use, r.Noisy = &all, r.LeftOut > 0 // there is no quieter time to take them from
	}
	middle := func(values Rounds) time.Duration {
		e, _ := Median(slices.Collect(maps.Values(values)))
		return time.Duration(e.Median)
	}
	r.P50, r.P50Beset, r.P99, r.P99Beset = middle(use.p50[0]), middle(use.p50[1]), middle(use.p99[0]), middle(use.p99[1])
	r.Ratio, r.Ratio90, r.CPU = siegeRatio(use.p99[1], use.p99[0]), siegeRatio(use.p90[1], use.p90[0]), siegeRatio(use.cpu[1], use.cpu[0])
	if calm := slices.Collect(maps.Values(use.p99[0])); len(calm) > 0 {
		r.P99Low, r.P99High = time.Duration(slices.Min(calm)), time.Duration(slices.Max(calm))
	}
	r.judge(rec.Run.Siege.Bound)
	return r, true
}

// siegeWindows are the figures of windows by round, without hostile clients and with.
type siegeWindows struct{ p50, p90, p99, cpu [2]Rounds }

func (w *siegeWindows) add(side int, t *Trial) {
	put := func(to *Rounds, v float64) {
		if *to == nil {
			*to = Rounds{}
		}
		(*to)[t.Round] = v
	}
	if l := siegeLatency(t.Load); l != nil {
		put(&w.p50[side], float64(l.P50))
		put(&w.p90[side], float64(l.P90))
		if l.Count >= P99.Samples {
			put(&w.p99[side], float64(l.P99))
		}
	}
	if t.Server != nil {
		put(&w.cpu[side], float64(t.Server.CPU)/max(float64(t.Server.Elapsed), 1))
	}
}

// siegeLatency is what an ordinary client of a window waited for the server; where the kernel did not say when its answers
// arrived, its own delay is in it.
func siegeLatency(l *Load) *Latency {
	if l.Wire != nil {
		return l.Wire
	}
	return l.Latency
}

// siegeFrom says from when to when that is.
func siegeFrom(rec *Record) string {
	if slices.ContainsFunc(rec.Trials, func(t Trial) bool { return t.Role == RoleSiege && t.Load != nil && t.Load.Wire != nil }) {
		return "latency from when each request was sent until the kernel had its answer, as it says: the CPU time that the hostile ones take from the ordinary is not the server's doing"
	}
	return "latency from when each request was due"
}

// siegeLoss is how many requests of a window were lost, and how many were due.
func siegeLoss(l *Load) (lost, due float64) {
	lost = float64(l.Errors.Total() + l.Unsent)
	if l.Latency != nil {
		due = float64(l.Latency.Count)
	}
	return lost, due + lost
}

func siegeRatio(with, without Rounds) *SiegeRatio {
	e, ok := Paired(with, without)
	if !ok {
		return nil
	}
	lo, hi := e.Range()
	return &SiegeRatio{Rounds: e.N, Median: e.Median, Lo: lo, Hi: hi, Bounded: e.Bounded()}
}

// attack adds what became of one round's hostile clients.
func (r *SiegeRow) attack(s *Siege) {
	if a := s.Attack; a != nil {
		r.Foes, r.Limit, r.Known = a.Foes, a.Limit, a.Known
		r.Opened += a.Opened
		for how, n := range a.How {
			r.How[how] += n
		}
		r.Wrong, r.Early, r.Late, r.Overdue = r.Wrong+a.Wrong, r.Early+a.Early, r.Late+a.Late, r.Overdue+a.Overdue
		if a.Cut != nil {
			if s.Patient || r.CutP50 == 0 {
				r.CutP50 = a.Cut.P50
			}
			r.CutMax = max(r.CutMax, a.Cut.Max)
		}
	}
	if m := s.Memory; m != nil {
		if r.Before == 0 {
			r.Before = m.Before
		}
		r.Peak, r.After, r.Sockets = max(r.Peak, m.Peak), m.After, max(r.Sockets, m.Sockets)
		r.FilesLeft, r.Back = max(r.FilesLeft, m.FilesLeft-m.Files), max(r.Back, m.Back)
	}
	if r.Foes > 0 {
		r.PerFoe = float64(max(r.Peak, r.Before)-r.Before) / float64(r.Foes)
	}
}

// allowed is how much more memory a server may take than before, in KiB.
func (r *SiegeRow) allowed() uint64 {
	each := siegeEach
	switch r.Kind {
	case SiegeReaders:
		each = siegeEachBig
	case SiegeSilent:
		each = siegeEachPause
	}
	return siegeReserve + uint64(r.Foes*each)
}

// judge says whether the target holds.
func (r *SiegeRow) judge(bound float64) {
	hard := 0 // reasons that no busy machine makes
	fail := func(format string, args ...any) {
		hard++
		r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
	}
	soft := fail
	if r.Noisy {
		soft = func(format string, args ...any) { r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...)) }
	}
	if r.Error != "" {
		fail("%s", r.Error)
	}
	if r.Overdue > 0 {
		fail("%s were open longer than %s and not cut", formatCount(float64(r.Overdue)), formatTime(float64(r.Limit)))
	}
	if r.Late > 0 {
		soft("%s were cut late, the last %s after it had begun", formatCount(float64(r.Late)), formatTime(float64(r.CutMax)))
	}
	if r.Early > 0 {
		fail("%s were cut before the limit", formatCount(float64(r.Early)))
	}
	if r.Wrong > 0 && r.Known {
		fail("%s were cut in another way than they should be", formatCount(float64(r.Wrong)))
	}
	if r.Peak > r.Before+r.allowed() {
		fail("memory grew by %s MiB, more than %s", mebibytes(float64(r.Peak-r.Before)*1024), mebibytes(float64(r.allowed())*1024))
	}
	if r.FilesLeft > 0 {
		fail("%s files stayed open", formatCount(float64(r.FilesLeft)))
	}
	if r.Lost > siegeLost {
		soft("ordinary clients starved: %.3g %% of their requests were lost", 100*r.Lost)
	}
	if r.Ratio != nil && !r.Noisy && r.Ratio.Bounded && r.Ratio.Lo > bound {
		fail("the p99 of ordinary clients is beyond %.2g times what it is without", bound)
	}
	switch {
	case hard > 0:
		r.Verdict = SiegeFails
	case !r.Known:
		r.Verdict = SiegeUnjudged
	case r.Noisy:
		r.Verdict = SiegeNotShown
		r.Reasons = append(r.Reasons, "something else took the CPU in all windows: p99 and CPU mean little, and what is late may be so for that")
	case r.Ratio == nil || !r.Ratio.Bounded || r.Ratio.Hi > bound:
		r.Verdict = SiegeNotShown
		r.Reasons = append(r.Reasons, siegeDoubt(r.Ratio, bound))
	default:
		r.Verdict = SiegeHolds
	}
}

func siegeDoubt(ratio *SiegeRatio, bound float64) string {
	switch {
	case ratio == nil:
		return "no two windows of a round can be held against each other"
	case !ratio.Bounded:
		return fmt.Sprintf("%d rounds have no interval, it takes %d", ratio.Rounds, MinRounds)
	}
	return fmt.Sprintf("the interval of the p99's ratio reaches beyond %.2g: more rounds, or a quieter machine, would decide", bound)
}

// SiegeText is the table of a run's sieges for a terminal.
func SiegeText(rec *Record, width int, colour bool) string {
	d := &document{title: "corelab run " + rec.Run.ID}
	addSiege(d, rec)
	return d.terminal(width, colour)
}

// addSiege adds the table; nothing in a run of another kind.
func addSiege(d *document, rec *Record) {
	rows := SiegeRows(rec)
	if rows == nil {
		return
	}
	g := &grid{columns: []column{{headTarget, true}, {"clients", true}, {"verdict", true}, {"cut", true}, {head: "limit"}, {head: "cut after"}, {head: "memory, MiB"},
		{head: "KiB each"}, {head: "files left"}, {head: "p99 alone"}, {head: "p99 beside"}, {head: "p99 ratio"}, {head: "p90 ratio"}, {head: "CPU ratio"}}}
	for i := range rows {
		r := &rows[i]
		g.rows = append(g.rows, gridRow{doubtful: r.Verdict == SiegeFails, cells: r.cells(&g.notes)})
	}
	a := rec.Run.Siege
	g.facts = []string{
		fmt.Sprintf("ordinary clients: %s requests a second on %d connections, an open loop, %s; %d rounds of %s alone and %s beside each kind, in random order",
			formatCount(a.Rate), a.Connections, siegeFrom(rec), a.Rounds, formatSpan(a.Window), formatSpan(a.Window)),
		"p99 alone: the median of rounds (the least to the most: what this machine makes of it by itself)",
		"limit: the server's, after which it should cut such a client, counted from what the client did; cut after: the median, and the last; all that are cut come again",
		"memory: what the server had allocated and touched before – at most – after; KiB each: the most, less that before, by client",
		fmt.Sprintf("holds: each client was cut in its way and in its time, memory stayed within %d MiB and %d KiB for each (%d for readers, %d for silent ones), all files were closed, at most %.0f %% of the ordinary requests were lost, and their p99 is proven to stay within %.2g times that without",
			siegeReserve>>10, siegeEach, siegeEachBig, siegeEachPause, 100*siegeLost, a.Bound),
	}
	d.add(g)
}

// cells are the row's, with what it does not hold as footnotes.
func (r *SiegeRow) cells(notes *footnotes) []string {
	verdict := r.Verdict
	for _, why := range r.Reasons {
		verdict += " " + notes.markExactly(why)
	}
	limit, after := "at once", Dash
	if !r.Known {
		limit = Dash
	} else if r.Limit > 0 {
		limit = formatTime(float64(r.Limit))
	}
	if r.CutMax > 0 {
		after = formatTime(float64(r.CutP50)) + " … " + formatTime(float64(r.CutMax))
	}
	span := func(d time.Duration) string {
		if d == 0 {
			return Dash
		}
		return formatTime(float64(d))
	}
	beside := span(r.P99Beset)
	if r.Lost > siegeLost {
		beside = "starved"
	}
	return []string{r.Target, fmt.Sprintf("%s %s", formatCount(float64(r.Foes)), r.Kind), verdict, siegeHow(r.How), limit, after,
		mebibytes(float64(r.Before)*1024) + " – " + mebibytes(float64(r.Peak)*1024) + " – " + mebibytes(float64(r.After)*1024),
		digits(r.PerFoe), formatCount(float64(r.FilesLeft)), span(r.P99) + " (" + span(r.P99Low) + "–" + span(r.P99High) + ")", beside, r.Ratio.String(), r.Ratio90.String(), r.CPU.String()}
}

// String is the ratio with its interval.
func (r *SiegeRatio) String() string {
	if r == nil {
		return Dash
	}
	text := fmt.Sprintf("%.2f (%.2f–%.2f)", r.Median, r.Lo, r.Hi)
	if r.Lo <= 1 && r.Hi >= 1 {
		text = Unproven + " " + text
	}
	return text
}

// siegeHow is how many were cut in which way, the most frequent first.
func siegeHow(how map[string]uint64) string {
	ways := slices.SortedFunc(maps.Keys(how), func(a, b string) int {
		if how[a] != how[b] {
			if how[a] > how[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	if len(ways) == 0 {
		return "none"
	}
	for i, way := range ways {
		ways[i] = formatCount(float64(how[way])) + " × " + way
	}
	return strings.Join(ways, ", ")
}
