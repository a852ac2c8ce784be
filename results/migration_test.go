package results

import (
	"slices"
	"strings"
	"testing"
)

func TestMigrationGoldens(t *testing.T) {
	rec := profiledSample(t)
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "migration.svg", files[MigrationPlot])
	report := string(files[ReportFile])
	at := strings.Index(report, "## The cores side by side")
	if at < 0 {
		t.Fatal("the report has no migration")
	}
	section := report[at:]
	golden(t, "migration.md", []byte(section[:4+strings.Index(section[4:], "\n## ")+1]))
}

// TestMigrationOrder: the rows are in the order of the stages, whatever the run's order was, and a step leads to each of them.
func TestMigrationOrder(t *testing.T) {
	rec := profiledSample(t)
	slices.Reverse(rec.Run.Targets)
	m := newMigration(rec, Cells(rec))
	var names, steps []string
	for _, r := range m.rows {
		names = append(names, r.name)
	}
	for _, s := range m.steps {
		steps = append(steps, s.from.name+">"+s.to.name)
	}
	if want := []string{"sequential", "goroutine", "pool", "reactor", "evio", "raw", "nginx"}; !slices.Equal(names, want) {
		t.Errorf("rows %v, want %v", names, want)
	}
	if want := []string{"sequential>goroutine", "goroutine>pool", "pool>reactor", "reactor>evio", "reactor>raw", "reactor>nginx"}; !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
}

// TestMigrationSaysWhatIsProven: no step claims more than its intervals do.
func TestMigrationSaysWhatIsProven(t *testing.T) {
	rec := profiledSample(t)
	said := map[string]string{}
	m := newMigration(rec, Cells(rec))
	for _, s := range m.steps {
		said[s.to.name] = s.sentence()
	}
	if want := "sequential → goroutine: not held against each other, sequential is starved"; said["goroutine"] != want {
		t.Errorf("got %q, want %q", said["goroutine"], want)
	}
	if s := said["reactor"]; !strings.Contains(s, " × the requests per second (") || !strings.Contains(s, "Go scheduler shrank most, by ") {
		t.Errorf("pool → reactor: %q", s)
	}
	if s := said["raw"]; strings.Contains(s, "shrank") {
		t.Errorf("layers of a target that was not profiled: %q", s)
	}
	// Rounds too few for an interval prove nothing.
	for i := range rec.Trials {
		if rec.Trials[i].Round > 3 {
			rec.Trials[i].Error = "cut"
		}
	}
	for _, s := range newMigration(rec, Cells(rec)).steps {
		if s.moved.why != "" {
			continue
		}
		if text := s.sentence(); !strings.Contains(text, "no difference in requests per second is proven; no difference in CPU per request is proven") {
			t.Errorf("three rounds prove: %s", text)
		}
	}
}

// TestMigrationWithoutProfiles: the picture is there, with the cost in place of the layers, and says why.
func TestMigrationWithoutProfiles(t *testing.T) {
	files, err := Plots(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	texts, links := textsOfSVG(t, files[MigrationPlot])
	if !slices.Contains(texts, "not profiled: bench --profile shows the layers") || len(links) != 0 {
		t.Errorf("texts %q, links %q", texts, links)
	}
}

// TestMigrationOfLittle: fewer than three of its cores are none, whatever else there is.
func TestMigrationOfLittle(t *testing.T) {
	rec := sample(t)
	rec.Trials = slices.DeleteFunc(rec.Trials, func(t Trial) bool { return t.Target == "goroutine" || t.Target == "pool" || t.Target == "sequential" })
	if m := newMigration(rec, Cells(rec)); m != nil {
		t.Errorf("a migration of %d rows", len(m.rows))
	}
	if m := newMigration(&Record{}, nil); m != nil {
		t.Error("a migration of nothing")
	}
}

func TestLogTicks(t *testing.T) {
	if got, want := logTicks(0.9e6, 11e6), []float64{1e6, 2e6, 5e6, 10e6}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := logTicks(1e3, 9e8); len(got) != 6 {
		t.Errorf("of six decades: %v", got)
	}
}

// TestMigrationWords: what is said of a step, in the picture and in the report.
func TestMigrationWords(t *testing.T) {
	from, to := &migrationRow{migrationStage: migrationStage{name: "a"}}, &migrationRow{migrationStage: migrationStage{name: "b"}}
	twice := Estimate{N: 6, Median: 2, Lo: 1.9, Hi: 2.1}
	for name, tt := range map[string]struct {
		moved           movement
		words, sentence string
	}{
		"refused": {movement{why: "a is starved"}, "no ratio: a is starved", "a → b: not held against each other, a is starved"},
		"all": {movement{speed: twice, speedProven: true, cpu: -3000, cpuFactor: 0.5, cpuShown: true, cpuProven: true,
			shrank: &layerMoved{"socket read", -2500}, grew: &layerMoved{"TCP transmit", 120}},
			"2.00 × the requests · CPU −3.00 µs · socket read −2.50 µs · TCP out +0.12 µs",
			"a → b: 2.00 × the requests per second (1.90–2.10); CPU per request −3.00 µs (0.50 ×); socket read shrank most, by 2.50 µs; TCP transmit grew most, by 0.12 µs"},
		"at least": {movement{speed: twice, speedProven: true, speedSign: "≥ "}, "≥ 2.00 × the requests", "a → b: ≥ 2.00 × the requests per second (1.90–2.10)"},
		"nothing proven": {movement{speed: twice, cpu: -1, cpuShown: true}, "requests ~ · CPU ~",
			"a → b: no difference in requests per second is proven; no difference in CPU per request is proven"},
		"two lower bounds": {movement{speedLack: "both throughputs are lower bounds", cpu: 1e3, cpuFactor: 1.2, cpuShown: true, cpuProven: true},
			"both throughputs are lower bounds · CPU +1.00 µs", "a → b: both throughputs are lower bounds; CPU per request +1.00 µs (1.20 ×)"},
	} {
		s := &migrationStep{from: from, to: to, moved: tt.moved}
		if got := strings.Join(s.words(), " · "); got != tt.words {
			t.Errorf("%s: the picture says %q, want %q", name, got, tt.words)
		}
		if got := s.sentence(); got != tt.sentence {
			t.Errorf("%s: the report says %q, want %q", name, got, tt.sentence)
		}
	}
}
