package results

import (
	"fmt"
	"io"
)

// WriteSlim writes rec as run.jsonl has it, without what makes it large and no table needs: the histograms of closed loops,
// of an open loop's service time and of run queues. What the histograms say in quantiles stays.
func WriteSlim(w io.Writer, rec *Record) error {
	lines := make([]any, 0, len(rec.Trials)+len(rec.Parts)+2)
	lines = append(lines, rec.Run)
	parts := rec.Parts
	for i, t := range rec.Trials {
		for ; len(parts) > 0 && parts[0].Trials == i; parts = parts[1:] {
			lines = append(lines, parts[0].GoOn)
		}
		if t.Load != nil {
			l := *t.Load
			l.Service, l.Wire = withoutHDR(l.Service), withoutHDR(l.Wire)
			if l.Loop == LoopClosed {
				l.Latency = withoutHDR(l.Latency)
			}
			t.Load = &l
		}
		t.RunQueue = withoutHDR(t.RunQueue)
		lines = append(lines, t)
	}
	for _, p := range parts {
		lines = append(lines, p.GoOn)
	}
	if rec.End != nil {
		lines = append(lines, *rec.End)
	}
	for i, line := range lines {
		b, err := encodeLine(line)
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			return fmt.Errorf("results: write line %d of a record: %w", i+1, err)
		}
	}
	return nil
}

func withoutHDR(l *Latency) *Latency {
	if l == nil {
		return nil
	}
	short := *l
	short.HDR = ""
	return &short
}
