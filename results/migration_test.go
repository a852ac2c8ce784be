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
