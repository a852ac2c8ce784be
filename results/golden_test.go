package results

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds got against testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is made now; look at what changed, then run the test with -update\n%s", path, firstDifference(got, want))
	}
}

func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range max(len(g), len(w)) {
		var a, b []byte
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if !bytes.Equal(a, b) {
			return "got  " + string(a) + "\nwant " + string(b)
		}
	}
	return ""
}

// sample is the record in testdata: every kind of row.
func sample(t testing.TB) *Record {
	t.Helper()
	rec, err := Read(filepath.Join("testdata", "run"))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestReportGoldens(t *testing.T) {
	rec := sample(t)
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		golden(t, "run/"+name, b)
	}
	golden(t, "summary-200.txt", []byte(Summary(rec, 200, false)))
	golden(t, "summary-80-colour.txt", []byte(Summary(rec, 80, true)))
	golden(t, "readme-table.md", []byte(ReadmeTable(rec)))
}
