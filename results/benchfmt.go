package results

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/perf/benchfmt"
)

// benchFigures are the figures of a line of bench.txt, behind ns/op.
var benchFigures = []Figure{Throughput, ServerCPU, ClientCPU, CPUShare, ServerUser, ServerSystem, P50, P90, P99, P999,
	Switches, Memory, Allocs, Failed}

// Bench is the record in the Go benchmark format, one line for each trial that got answers, so that benchstat reads it. Its
// ns/op is the time between two answers, the inverse of the throughput. Roles stand in the name: A/A, second generators,
// observed and profiled trials never mix with those that count. Warnings are counted in each line that has any.
func Bench(rec *Record) ([]byte, error) {
	var b bytes.Buffer
	w := benchfmt.NewWriter(&b)
	for _, f := range benchFigures {
		better := "higher"
		if f.Falls {
			better = "lower"
		}
		if err := w.Write(&benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: f.Unit, Key: "better"},
			OrigUnit: f.Unit, Value: better}); err != nil {
			return nil, fmt.Errorf("results: write the Go benchmark format: %w", err)
		}
	}
	config := benchConfig(&rec.Run)
	for i := range rec.Trials {
		t := &rec.Trials[i]
		rate, ok := Throughput.Of(t)
		if !ok {
			continue
		}
		r := &benchfmt.Result{Config: config, Name: benchName(t), Iters: int(t.Load.Requests)}
		r.Values = append(r.Values, benchfmt.Value{Value: 1e9 / rate, Unit: "ns/op"})
		for _, f := range benchFigures {
			if v, ok := f.Of(t); ok {
				r.Values = append(r.Values, benchfmt.Value{Value: v, Unit: f.Unit})
			}
		}
		if n := len(Check(t)); n > 0 {
			r.Values = append(r.Values, benchfmt.Value{Value: float64(n), Unit: "warnings"})
		}
		if err := w.Write(r); err != nil {
			return nil, fmt.Errorf("results: write the Go benchmark format: %w", err)
		}
	}
	return b.Bytes(), nil
}

// benchConfig says where the lines were measured. The keys are those of go test where it has them.
func benchConfig(r *Run) []benchfmt.Config {
	var config []benchfmt.Config
	add := func(key, value string) {
		if value = strings.TrimSpace(printable(value)); value != "" {
			config = append(config, benchfmt.Config{Key: key, Value: []byte(value), File: true})
		}
	}
	// "go1.26.8 linux/amd64"
	version, platform, _ := strings.Cut(r.Host.GoVersion, " ")
	goos, goarch, _ := strings.Cut(platform, "/")
	add("goos", goos)
	add("goarch", goarch)
	add("pkg", "corelab")
	add("cpu", r.Host.CPU)
	add("kernel", r.Host.Kernel)
	add("go", version)
	add("commit", r.Commit)
	add("run", r.ID)
	add("seed", fmt.Sprint(r.Seed))
	return config
}

// benchName is "Plaintext/target=reactor/conns=64/…" (the writer puts Benchmark before it).
func benchName(t *Trial) []byte {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(t.Scenario, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		first := []rune(word)[0]
		b.WriteString(string(unicode.ToUpper(first)) + word[len(string(first)):])
	}
	part := func(key, value string) {
		if value != "" {
			b.WriteString("/" + key + "=" + benchWord(value))
		}
	}
	part("target", t.Target)
	part("conns", fmt.Sprint(t.Load.Connections))
	part("case", strings.ReplaceAll(t.Case, "=", ":"))
	if t.Load.Depth > 1 {
		part("depth", fmt.Sprint(t.Load.Depth))
	}
	if t.Role == RoleKnee {
		part("rate", strconv.FormatFloat(t.Load.Rate, 'f', -1, 64)) // which a search changes from trial to trial
	}
	part("loop", t.Load.Loop)
	part("generator", t.Load.Generator)
	part("placement", t.Placement)
	part("role", t.Role)
	return []byte(b.String())
}

// benchWord replaces what would end a part of a name, or the name.
func benchWord(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}
