package results

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// readCSV reads a table back, as a row's fields by their heads.
func readCSV(t *testing.T, b []byte) []map[string]string {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(b)).ReadAll() // which refuses lines of unequal length
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, head := range lines[0] {
			row[head] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestCSVGolden(t *testing.T) {
	rec := profiledSample(t)
	b, err := CSV(rec, Only{Scenario: "plaintext", Target: "reactor"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "reactor.csv", b)
}

// TestCSVReadsBack: every figure of every cell is there, with the value that the tables have.
func TestCSVReadsBack(t *testing.T) {
	rec := profiledSample(t)
	b, err := CSV(rec, Only{})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := CSV(rec, Only{}); !bytes.Equal(b, again) {
		t.Error("the second time it differs")
	}
	rows := readCSV(t, b)
	find := func(c *Cell, figure string) map[string]string {
		i := slices.IndexFunc(rows, func(r map[string]string) bool {
			return r["scenario"] == c.Scenario && r["case"] == c.Case && r["target"] == c.Target && r["role"] == c.Role &&
				r["generator"] == c.Generator && r["loop"] == c.Loop && r["placement"] == c.Placement && r["figure"] == figure
		})
		if i < 0 {
			t.Fatalf("no line of %v, %s", c.Key, figure)
		}
		return rows[i]
	}
	for _, c := range Cells(rec) {
		for _, f := range []Figure{Throughput, ServerCPU, P99} {
			row := find(c, f.Name)
			e, ok := c.Estimate(f)
			if !ok {
				if row["median"] != "" || row["lack"] == "" {
					t.Errorf("%v: a missing %s is %q, because %q", c.Key, f.Name, row["median"], row["lack"])
				}
				continue
			}
			if v, err := strconv.ParseFloat(row["median"], 64); err != nil || v != e.Median {
				t.Errorf("%v: %s is %q, want %v", c.Key, f.Name, row["median"], e.Median)
			}
			if row["rounds"] != strconv.Itoa(e.N) || (row["lo"] != "") != e.Bounded() {
				t.Errorf("%v: %s of %s rounds has the interval %q", c.Key, f.Name, row["rounds"], row["lo"])
			}
		}
	}
	c := cellOf(t, rec, "reactor")
	cost, _ := rec.LayersOf(c)
	if v, err := strconv.ParseFloat(find(c, "layer: TCP transmit")["median"], 64); err != nil || v != cost.Of("TCP transmit") {
		t.Errorf("a layer is %v", v)
	}
	if row := find(cellOf(t, rec, "evio"), "layers"); row["median"] != "" || !strings.Contains(row["lack"], "no permission") {
		t.Errorf("layers that are not known: %v", row)
	}
}

// TestCSVIsNoFormula: what a record says is never run by a spreadsheet, and never ends a line.
func TestCSVIsNoFormula(t *testing.T) {
	for _, name := range []string{`=cmd|'/c calc'!A1`, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "a,\"b\"\r\nc"} {
		rec := sample(t)
		for i := range rec.Trials {
			rec.Trials[i].Target = name
		}
		b, err := CSV(rec, Only{})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range readCSV(t, b) {
			for head, field := range row {
				if _, err := strconv.ParseFloat(field, 64); err == nil && head != "target" {
					continue
				}
				if first := strings.TrimLeft(field, " \t\r\n"); first != "" && strings.ContainsRune("=+-@＝", []rune(first)[0]) || strings.ContainsAny(field, "\r\n\t") {
					t.Fatalf("%q becomes the field %q of %s", name, field, head)
				}
			}
		}
	}
}

func TestCSVOfNothing(t *testing.T) {
	if _, err := CSV(sample(t), Only{Target: "rector"}); err == nil || !strings.Contains(err.Error(), "no trial of target rector") || !strings.Contains(err.Error(), "reactor") {
		t.Errorf("an unknown target: %v", err)
	}
	if b, err := CSV(&Record{Run: Run{ID: "x"}}, Only{}); err != nil || len(readCSV(t, b)) != 0 {
		t.Errorf("an empty record: %v", err)
	}
}

// TestCSVOfOtherRuns: a comparison's and a knee search's tables say what these say.
func TestCSVOfOtherRuns(t *testing.T) {
	rec := plain.record()
	b, err := CSV(rec, Only{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compared(rec)
	if err != nil {
		t.Fatal(err)
	}
	rows := readCSV(t, b)
	if len(rows) != len(c.Figures) {
		t.Fatalf("%d lines of %d figures", len(rows), len(c.Figures))
	}
	for i, d := range c.Figures {
		if v, _ := strconv.ParseFloat(rows[i]["ratio"], 64); rows[i]["figure"] != d.Figure || v != d.Ratio || rows[i]["verdict"] != d.Verdict {
			t.Errorf("line %d is %v, want %s %v %s", i, rows[i], d.Figure, d.Ratio, d.Verdict)
		}
	}
	if _, err := CSV(rec, Only{Target: "a"}); err == nil {
		t.Error("half of a comparison")
	}

	rec = kneeRecord()
	if b, err = CSV(rec, Only{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, k := range Knees(rec) {
		n += max(1, len(k.Rates))
	}
	if rows := readCSV(t, b); n < 3 || len(rows) != n || rows[0]["rate"] == "" || rows[0]["outcome"] == "" {
		t.Errorf("%d lines of %d rates", len(rows), n)
	}
}

// TestBenchOfAKneeSearch: trials at different rates are different benchmarks, or benchstat would take their median.
func TestBenchOfAKneeSearch(t *testing.T) {
	b, err := Bench(kneeRecord())
	if err != nil {
		t.Fatal(err)
	}
	for rate, n := range map[string]int{"15000": 2, "18000": 4, "18400": 3} {
		got := 0
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, "/target=sound/") && strings.Contains(line, "/rate="+rate+"/") {
				got++
			}
		}
		if got != n {
			t.Errorf("%d lines of %s/s, want %d", got, rate, n)
		}
	}
}
