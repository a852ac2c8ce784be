package load

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What h2load 1.52.0 really printed, and what is made of it.
func TestParseH2load(t *testing.T) {
	outputs, err := filepath.Glob("testdata/h2load/*.txt")
	if err != nil || len(outputs) < 4 {
		t.Fatalf("%d captured outputs: %v", len(outputs), err)
	}
	for _, path := range outputs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			out, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := h2loadGenerator{}.Parse(out, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(r, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, ".txt") + ".golden"
			if *update {
				if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got)+"\n" != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestParseH2loadRefusesWhatItDoesNotKnow(t *testing.T) {
	out, err := os.ReadFile("testdata/h2load/plaintext.txt")
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{"requests: ": "answers: ", "status codes": "codes", "traffic: ": "bytes: ", "us  ": "ns  "} {
		broken := strings.Replace(string(out), old, changed, 1)
		if broken == string(out) {
			t.Fatalf("%q is not in the output", old)
		}
		if r, err := (h2loadGenerator{}).Parse([]byte(broken), nil); err == nil {
			t.Errorf("%q was read as %+v", changed, r)
		}
	}
}

func TestH2loadCommand(t *testing.T) {
	base := Spec{URL: "http://127.0.0.1:8080/plaintext", Duration: 1200 * time.Millisecond}
	with := func(change func(*Spec)) Spec { s := base; change(&s); return s }
	const plain = "h2load|--h1|-t|1|-c|64|-D|1200ms|"
	for _, c := range []struct {
		name, argv, says string // the words of argv with | between them
		spec             Spec
	}{
		{"plain", plain + base.URL, "", base},
		{"pipelined", "", "how deep", with(func(s *Spec) { s.Depth = 16 })},
		{"rounded up", "h2load|--h1|-t|1|-c|64|-D|1ms|" + base.URL, "", with(func(s *Spec) { s.Duration = 1 })},
		{"method and header", plain + "-H|:method: HEAD|-H|A: b|" + base.URL, "", with(func(s *Spec) { s.Method, s.Header = "HEAD", []string{"A: b"} })},
		{"open loop", "", "no open loop", with(func(s *Spec) { s.Rate = 10 })},
		{"a connection a request", "", "keeps its connections", with(func(s *Spec) { s.NewConn = true })},
		{"a body", "", "from a file", with(func(s *Spec) { s.Body = []byte("x") })},
		{"idle connections", "", "no idle", with(func(s *Spec) { s.Idle = 1 })},
		{"what no generator can", "", "connections", with(func(s *Spec) { s.Connections = -1 })},
	} {
		argv, stdin, err := h2loadGenerator{}.Command("", c.spec)
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, %v; expected an error with %q", c.name, argv, err, c.says)
			}
			continue
		}
		if err != nil || stdin != nil || !slices.Equal(argv, strings.Split(c.argv, "|")) {
			t.Errorf("%s: %q, %v; expected %q", c.name, argv, err, c.argv)
		}
	}
}
