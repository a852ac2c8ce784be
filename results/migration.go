package results

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"corelab/results/stacks"
)

// MigrationPlot is the name of the picture of the cores side by side, from one connection at a time to a loop for each CPU.
const MigrationPlot = "migration.svg"

// migrationTitle is the question that the picture answers.
const migrationTitle = "The same service, another way to wait for the network: what does each step buy?"

// migrationStage is one core of the migration.
type migrationStage struct {
	name  string
	about string // how it waits, in a few words
	path  bool   // a step on the way; the others are held against the last of these
}

// migrationStages are the cores in the order of the picture. Those with a number are the stages of the four-stage server that
// was published.
var migrationStages = []migrationStage{
	{"sequential", "1: one at a time", true},
	{"goroutine", "a goroutine each", true},
	{"pool", "2: pool of threads", true},
	{"epoll", "3: an event loop", true},
	{"epollpool", "4: loop + threads", true},
	{"reactor", "a loop per CPU", true},
	{"evio", "a library's loop", false},
	{"raw", "nothing is parsed", false},
	{"uring", "io_uring", false},
	{ReferenceTarget, "for comparison", false},
}

// migrationFewest is how many stages of the way make a picture.
const migrationFewest = 3

// migration is the cores of the headline's table that the picture shows.
type migration struct {
	table    *loadTable
	rows     []*migrationRow
	steps    []*migrationStep
	profiled bool // at least one row has layers
}

// migrationRow is one core.
type migrationRow struct {
	migrationStage
	*tableRow
	cost *LayerCost
	lack string // why there is none
	step *migrationStep
}

// migrationStep is what changed from one row to another.
type migrationStep struct {
	from, to *migrationRow
	file     string // of the differential flame graph; empty where one of the two was not profiled
	moved    movement
}

// movement is how far a step's figures are proven to have moved.
type movement struct {
	why          string      // the figures cannot be held against each other; empty where they can
	speed        Estimate    // throughput of to ÷ from
	speedSign    string      // "≥ ", "≤ "; empty for a ratio of two ceilings
	speedLack    string      // why there is none; empty where there is one
	speedProven  bool        //
	cpu          float64     // CPU per request of to − from, ns
	cpuFactor    float64     // likewise to ÷ from
	cpuShown     bool        //
	cpuProven    bool        //
	shrank, grew *layerMoved // the layers that moved farthest beyond what chance may do
}

// layerMoved is a layer's CPU time per request, to − from, in ns.
type layerMoved struct {
	layer stacks.Layer
	by    float64
}

// newMigration takes the stages out of the headline's table; nil where it has fewer than migrationFewest of the way.
func newMigration(rec *Record, cells []*Cell) *migration {
	t := headlineTable(rec, cells)
	if t == nil {
		return nil
	}
	m := &migration{table: t}
	var last *migrationRow
	onPath := 0
	for _, stage := range migrationStages {
		i := slices.IndexFunc(t.rows, func(r *tableRow) bool { return r.target.Name == stage.name })
		if i < 0 {
			continue
		}
		if _, ok := t.rows[i].cell.Estimate(Throughput); !ok {
			continue
		}
		r := &migrationRow{migrationStage: stage, tableRow: t.rows[i]}
		r.cost, r.lack = rec.LayersOf(r.cell)
		m.profiled = m.profiled || r.cost != nil
		m.rows = append(m.rows, r)
		if last != nil {
			r.step = &migrationStep{from: last, to: r, moved: t.moved(last, r)}
			if last.cost != nil && r.cost != nil {
				r.step.file = FlameDiffFile(t.key.Scenario, t.key.Case, last.name, r.name)
			}
			m.steps = append(m.steps, r.step)
		}
		if stage.path {
			last = r
			onPath++
		}
	}
	if onPath < migrationFewest {
		return nil
	}
	return m
}

// moved holds to against from.
func (t *loadTable) moved(from, to *migrationRow) (m movement) {
	for _, r := range []*migrationRow{from, to} {
		if !r.ranked {
			m.why = r.name + " is " + string(r.verdict.Kind)
		}
	}
	if m.why == "" {
		t.moveSpeed(&m, from, to)
		t.moveCPU(&m, from, to)
	}
	if from.cost != nil && to.cost != nil && m.why == "" {
		m.moveLayers(from, to)
	}
	return m
}

func (t *loadTable) moveSpeed(m *movement, from, to *migrationRow) {
	e, ok := Ratio(to.cell, from.cell, Throughput)
	switch {
	case from.bounded && to.bounded:
		m.speedLack = "both throughputs are lower bounds"
		return
	case !ok:
		m.speedLack = "no round has the throughput of both"
		return
	}
	m.speed = e
	m.speedProven = Side(to.cell, from.cell, Throughput, bias(t.floor[Throughput.Unit])) != 0
	switch {
	case to.bounded:
		m.speedSign = "≥ "
	case from.bounded:
		m.speedSign = "≤ "
	}
}

func (t *loadTable) moveCPU(m *movement, from, to *migrationRow) {
	a, okA := from.cell.Estimate(ServerCPU)
	b, okB := to.cell.Estimate(ServerCPU)
	ratio, ok := Ratio(to.cell, from.cell, ServerCPU)
	if !okA || !okB || !ok {
		return
	}
	m.cpu, m.cpuFactor, m.cpuShown = b.Median-a.Median, ratio.Median, true
	side := Side(to.cell, from.cell, t.headline(), bias(t.floor[t.headline().Unit]))
	m.cpuProven = side != 0 && (side > 0) == (m.cpu > 0)
}

// leastMoved is the change of a layer, in ns per request, below which nothing is said of it.
const leastMoved = 50

// moveLayers finds the layers that shrank and grew most, if by more than the samples and the rounds leave open.
func (m *movement) moveLayers(from, to *migrationRow) {
	for _, l := range stacks.Layers {
		if l == stacks.Idle {
			continue
		}
		by := to.cost.Of(l) - from.cost.Of(l)
		if math.Abs(by) < leastMoved || math.Abs(by) <= math.Hypot(from.open(l), to.open(l)) {
			continue
		}
		if by < 0 && (m.shrank == nil || by < m.shrank.by) {
			m.shrank = &layerMoved{l, by}
		}
		if by > 0 && (m.grew == nil || by > m.grew.by) {
			m.grew = &layerMoved{l, by}
		}
	}
}

// open is how far the layer's time may be off, in ns per request.
func (r *migrationRow) open(l stacks.Layer) float64 {
	e, _ := r.cell.Estimate(ServerCPU)
	return math.Hypot(r.cost.ShareError(l)*r.cost.CPU, r.cost.Of(l)*e.Spread())
}

// words are what a step changed, in short: for the picture.
func (s *migrationStep) words() []string {
	m := s.moved
	if m.why != "" {
		return []string{"no ratio: " + m.why}
	}
	var words []string
	switch {
	case m.speedLack != "":
		words = append(words, m.speedLack)
	case m.speedProven:
		words = append(words, m.speedSign+factor(m.speed.Median)+" the requests")
	default:
		words = append(words, "requests "+Unproven)
	}
	switch {
	case m.cpuShown && m.cpuProven:
		words = append(words, "CPU "+signedMicros(m.cpu)+" µs")
	case m.cpuShown:
		words = append(words, "CPU "+Unproven)
	}
	if m.shrank != nil {
		words = append(words, layerWord(m.shrank.layer)+" "+signedMicros(m.shrank.by)+" µs")
	}
	if m.grew != nil {
		words = append(words, layerWord(m.grew.layer)+" "+signedMicros(m.grew.by)+" µs")
	}
	return words
}

// layerWord is a layer's short name where it stands alone.
func layerWord(l stacks.Layer) string {
	switch l {
	case stacks.SocketRead, stacks.SocketSend:
		return string(l)
	case stacks.Setup:
		return "connection set-up"
	}
	return layerHeads[l]
}

// sentence is what a step changed, for the report.
func (s *migrationStep) sentence() string {
	begin := s.from.name + " → " + s.to.name + ": "
	m := s.moved
	if m.why != "" {
		return begin + "not held against each other, " + m.why
	}
	var parts []string
	switch {
	case m.speedLack != "":
		parts = append(parts, m.speedLack)
	case m.speedProven:
		lo, hi := m.speed.Range()
		parts = append(parts, fmt.Sprintf("%s%s the requests per second (%s–%s)", m.speedSign, factor(m.speed.Median), digits(lo), digits(hi)))
	default:
		parts = append(parts, "no difference in requests per second is proven")
	}
	switch {
	case m.cpuShown && m.cpuProven:
		parts = append(parts, fmt.Sprintf("CPU per request %s µs (%s)", signedMicros(m.cpu), factor(m.cpuFactor)))
	case m.cpuShown:
		parts = append(parts, "no difference in CPU per request is proven")
	}
	if m.shrank != nil {
		parts = append(parts, fmt.Sprintf("%s shrank most, by %s µs", m.shrank.layer, layerMicros(-m.shrank.by)))
	}
	if m.grew != nil {
		parts = append(parts, fmt.Sprintf("%s grew most, by %s µs", m.grew.layer, layerMicros(m.grew.by)))
	}
	if s.from.cost != nil && s.to.cost != nil && m.shrank == nil && m.grew == nil {
		parts = append(parts, "no layer moved by more than the samples leave open")
	}
	return begin + strings.Join(parts, "; ")
}

// factor is a ratio in words: "6.4 ×".
func factor(v float64) string { return digits(v) + " ×" }

// signedMicros is a time with its sign, in µs without the unit.
func signedMicros(ns float64) string {
	if ns < 0 {
		return "−" + layerMicros(-ns)
	}
	return "+" + layerMicros(ns)
}

// add adds the picture and its steps to a report; files are those that stand beside it.
func (m *migration) add(d *document, files map[string][]byte) {
	d.add(heading{2, "The cores side by side"})
	about := fmt.Sprintf("Each core waits for the network in another way, all else is the same: what does each step buy, and where does the time go? It is the table of %s below.", m.table.key.Scenario)
	if !m.profiled {
		about += " Nothing was profiled in it, so that the steps say nothing of layers: bench --profile does."
	}
	d.add(paragraph(about))
	if files[MigrationPlot] != nil {
		d.add(picture{MigrationPlot, "throughput, p99 and CPU time of the cores side by side"})
	}
	var l linked
	for _, s := range m.steps {
		item := link{text: s.sentence()}
		if s.file != "" && files[s.file] != nil {
			item.label, item.file = "differential flame graph", s.file
		}
		l = append(l, item)
	}
	d.add(l)
}
