package load

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// CommandLine is what to type to send the same load by hand. A body that is no text stands for itself as @FILE, and what is
// expected of the answers is left out but for the status: the first answer is the reference then.
func (s Spec) CommandLine(generator string) []string {
	argv := []string{"corelab", "load", s.URL, "-c", strconv.Itoa(s.Connections)}
	if s.phased() {
		argv = append(argv, "--phases", phaseWords(s.Phases))
	} else {
		argv = append(argv, "-d", s.Duration.String())
	}
	argv = append(argv, "--warmup", s.Warmup.String(), "--timeout", s.Timeout.String())
	add := func(given bool, more ...string) {
		if given {
			argv = append(argv, more...)
		}
	}
	add(generator != corelabName, "--generator", generator)
	add(s.Threads > 1, "-t", strconv.Itoa(s.Threads))
	add(s.Method != "GET", "-m", s.Method)
	for _, h := range s.Header {
		add(true, "-H", h)
	}
	switch {
	case len(s.Body) == 0:
	case len(s.Body) <= 256 && utf8.Valid(s.Body) && s.Body[0] != '@':
		add(true, "--body", string(s.Body))
	default:
		add(true, "--body", "@FILE")
	}
	add(s.Depth > 1, "--pipeline", strconv.Itoa(s.Depth))
	add(s.NewConn, "--new-conn")
	add(s.Rate > 0 && !s.phased(), "--rate", strconv.FormatFloat(s.Rate, 'f', -1, 64))
	add(s.Arrival == ArrivalPoisson, "--poisson", "--seed", strconv.FormatUint(s.Seed, 10))
	add(s.Spin > 0, "--spin", s.Spin.String())
	add(s.Stamp, "--stamp")
	add(s.Idle > 0, "--idle", strconv.Itoa(s.Idle))
	add(s.CheckEvery != 1, "--check-every="+strconv.Itoa(s.CheckEvery))
	if s.Expect != nil {
		add(s.Expect.Status != 0, "--expect-status", strconv.Itoa(s.Expect.Status))
	}
	return argv
}

// phaseWords is what [ParsePhases] reads.
func phaseWords(phases []Phase) string {
	var parts []string
	for _, p := range phases {
		parts = append(parts, p.Name+"="+strconv.FormatFloat(p.Rate, 'f', -1, 64)+":"+p.Duration.String())
	}
	return strings.Join(parts, ",")
}
