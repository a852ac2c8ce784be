package results

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
)

// placements in words.
var placements = map[string]string{
	PlacementOne:    "one: server and generator share one CPU",
	PlacementSplit:  "split: server and generator have CPUs of their own",
	PlacementShared: "shared: server and generator both have all CPUs",
}

// facts are the lines under a table: how it was measured, and how far it can be trusted.
func (t *loadTable) facts(fallback []Noise) []string {
	var facts []string
	if p := t.key.Placement; p != "" {
		facts = append(facts, "placement "+orElse(placements[p], p)+t.affinities())
	}
	loads := t.loads()
	if len(loads) == 0 {
		return append(facts, "no trial of this table got as far as its load")
	}
	first := loads[0].Load
	facts = append(facts, t.loadLine(first))
	if len(first.Command) > 0 {
		facts = append(facts, "the first load: "+shellquote.Join(first.Command...))
	}
	facts = append(facts, t.roundsLine(), t.leftOutLine(), noiseLine(t.noise(), fallback), t.seconds)
	if b := t.biased(); b > 0 {
		facts = append(facts, fmt.Sprintf("an A/A difference is proven, which there is not: differences up to %.1f %% count as not proven", 100*b))
	}
	return facts
}

func (t *loadTable) loadLine(l *Load) string {
	s := fmt.Sprintf("generator %s, %s loop, %d connections", l.Generator, l.Loop, l.Connections)
	if l.Depth > 1 {
		s += fmt.Sprintf(", %d requests deep", l.Depth)
	}
	if l.Reconnect {
		s += ", a new one for each request"
	}
	if l.Loop == LoopOpen {
		s += fmt.Sprintf(", %s arrivals, latency from when a request was due", orElse(l.Arrival, "constant"))
	} else if l.Generator != generatorOwn {
		s += "; percentiles are those that " + l.Generator + " prints"
	}
	if l.CheckEvery > 0 {
		s += "; every answer's status and length was checked, and the bytes of " + oneIn(l.CheckEvery)
	}
	return s
}

func oneIn(n int) string {
	if n == 1 {
		return "each"
	}
	return fmt.Sprintf("one in %d", n)
}

// roundsLine says how much was measured and what the brackets mean with so much.
func (t *loadTable) roundsLine() string {
	rounds, fewest := 0, 0
	for _, row := range t.rows {
		n := len(row.cell.Rounds(Throughput))
		rounds = max(rounds, n)
		if n > 0 && (fewest == 0 || n < fewest) {
			fewest = n
		}
	}
	s := fmt.Sprintf("%d rounds × %s, interleaved; figures are medians", rounds, formatSpan(t.elapsed()))
	switch {
	case rounds < MinRounds:
		return s + fmt.Sprintf("; ± and brackets are the range of the rounds: an interval takes %d, so no difference is proven", MinRounds)
	case fewest < MinRounds:
		s += fmt.Sprintf("; in rows with fewer than %d rounds ± and brackets are the range", MinRounds)
	}
	return s + fmt.Sprintf("; ± and brackets are the %.0f %% interval of the median, paired by round in ratios", 100*Confidence)
}

// leftOutLine counts the trials that are in no median, ratio or interval, and says why.
func (t *loadTable) leftOutLine() string {
	out, of, hypervisor, seated := 0, 0, 0, false
	for _, trial := range t.loads() {
		if trial.Error != "" {
			continue
		}
		of++
		seated = seated || trial.Machine != nil && len(trial.Machine.Seats) > 0
		if !Disturbed(trial) {
			continue
		}
		out++
		if stolen(trial) {
			hypervisor++
		}
	}
	took := fmt.Sprintf("something else took more than %.0f %% of the CPUs in use", 100*TakenShare)
	if !seated {
		took = "something else took the CPU, by the rule of the corelab that recorded it"
	}
	if out == 0 {
		return fmt.Sprintf("left out: none of %d trials; in none was it seen that %s", of, took)
	}
	s := fmt.Sprintf("left out of medians, ratios and intervals: %d of %d trials, in which %s", out, of, took)
	switch hypervisor {
	case 0:
		s += ": other processes"
	case out:
		s += ": the hypervisor"
	default:
		s += fmt.Sprintf(": in %d mostly the hypervisor, in %d other processes", hypervisor, out-hypervisor)
	}
	return s + "; a row of which all rounds are shows them all"
}

// stolen reports whether the hypervisor took more than others did.
func stolen(t *Trial) bool {
	if t.Machine == nil {
		return false
	}
	steal, others := t.Machine.Steal, t.Machine.Others
	for i, s := range t.Machine.Seats {
		if i == 0 {
			steal, others = 0, 0
		}
		steal, others = steal+s.Steal, others+s.Others
	}
	return steal > others
}

// affinities names the CPUs that server and generator really had, where all trials had the same.
func (t *loadTable) affinities() string {
	var server, client []string
	for _, trial := range t.loads() {
		if trial.Server != nil && trial.Server.Affinity != "" && !slices.Contains(server, trial.Server.Affinity) {
			server = append(server, trial.Server.Affinity)
		}
		if trial.Client != nil && trial.Client.Affinity != "" && !slices.Contains(client, trial.Client.Affinity) {
			client = append(client, trial.Client.Affinity)
		}
	}
	if len(server) == 0 || len(client) == 0 {
		return ""
	}
	return fmt.Sprintf(" (server on CPU %s, generator on CPU %s)", strings.Join(server, " or "), strings.Join(client, " or "))
}

// noiseFigures are those whose A/A ratio a table shows: those that it ranks by.
func (t *loadTable) noiseFigures() []Figure {
	switch {
	case t.key.Loop == LoopOpen:
		return []Figure{P99}
	case t.key.Placement == PlacementOne:
		return []Figure{CPUShare}
	}
	return []Figure{Throughput, ServerCPU}
}

func (t *loadTable) noise() []Noise {
	var all []Noise
	for _, f := range t.noiseFigures() {
		all = append(all, t.floor[f.Unit]...)
	}
	return all
}

// biased is the largest proven A/A difference among the figures that the table ranks by.
func (t *loadTable) biased() float64 { return bias(t.noise()) }

// noiseLine prints the table's own A/A ratios, or those of the run where it has none.
func noiseLine(own, fallback []Noise) string {
	if len(own) > 0 {
		return "noise floor, the same target against itself (A/A): " + joinNoise(own)
	}
	if len(fallback) > 0 {
		where := fallback[0].Scenario
		if fallback[0].Case != "" {
			where += " " + fallback[0].Case
		}
		return "noise floor (A/A): not measured here; in " + where + ": " + joinNoise(fallback)
	}
	return "noise floor (A/A): not measured in this run"
}

func joinNoise(all []Noise) string {
	var parts []string
	for _, n := range all {
		lo, hi := n.Ratio.Range()
		parts = append(parts, fmt.Sprintf("%s %s %.3f (%.3f–%.3f)", n.Target, n.Figure.Name, n.Ratio.Median, lo, hi))
	}
	return strings.Join(parts, "; ")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
