package load

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the goldens anew")

// What wrk 4.1.0 really printed, and what is made of it.
func TestParseWrk(t *testing.T) {
	outputs, err := filepath.Glob("testdata/wrk/*.txt")
	if err != nil || len(outputs) < 8 {
		t.Fatalf("%d captured outputs: %v", len(outputs), err)
	}
	for _, path := range outputs {
		t.Run(filepath.Base(path), func(t *testing.T) {
			out, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := wrkGenerator{}.Parse(out, nil)
			got, encoding := json.MarshalIndent(r, "", "\t")
			if encoding != nil {
				t.Fatal(encoding)
			}
			if err != nil {
				got = []byte("error: " + err.Error())
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

func TestParseWrkRefusesWhatItDoesNotKnow(t *testing.T) {
	out, err := os.ReadFile("testdata/wrk/plaintext.txt")
	if err != nil {
		t.Fatal(err)
	}
	for old, changed := range map[string]string{"8.06MB": "8.06PB", "775.20us": "775.20ns", "57526 requests in": "many requests in"} {
		broken := strings.Replace(string(out), old, changed, 1)
		if broken == string(out) {
			t.Fatalf("%q is not in the output", old)
		}
		if r, err := (wrkGenerator{}).Parse([]byte(broken), nil); err == nil {
			t.Errorf("%q was read as %+v", changed, r)
		}
	}
}

func TestWrkCommand(t *testing.T) {
	base := Spec{URL: "http://127.0.0.1:8080/plaintext", Duration: 1200 * time.Millisecond}
	with := func(change func(*Spec)) Spec { s := base; change(&s); return s }
	tests := []struct {
		name string
		spec Spec
		argv string // where a script is named, SCRIPT stands for it
		lua  []string
		says string
	}{
		{"plain", base, "wrk -t 1 -c 64 -d 2s --timeout 2s --latency http://127.0.0.1:8080/plaintext", nil, ""},
		{"threads are at most connections", with(func(s *Spec) { s.Threads, s.Connections = 8, 2 }), "wrk -t 2 -c 2 -d 2s --timeout 2s --latency http://127.0.0.1:8080/plaintext", nil, ""},
		{"new connections", with(func(s *Spec) { s.NewConn, s.Header = true, []string{"A: b"} }), "wrk -t 1 -c 64 -d 2s --timeout 2s --latency -H A: b -H Connection: close http://127.0.0.1:8080/plaintext", nil, ""},
		{"pipelined", with(func(s *Spec) { s.Depth = 16 }), "wrk -t 1 -c 64 -d 2s --timeout 2s --latency -s SCRIPT http://127.0.0.1:8080/plaintext", []string{"depth = 16", "string.rep"}, ""},
		{"a body of any bytes", with(func(s *Spec) { s.Method, s.Body = "POST", []byte("a\"\\\x00\n1") }), "wrk -t 1 -c 64 -d 2s --timeout 2s --latency -s SCRIPT http://127.0.0.1:8080/plaintext", []string{`wrk.method = "POST"`, `wrk.body = "a\034\092\000\0101"`}, ""},
		{"no open loop", with(func(s *Spec) { s.Rate = 5 }), "", nil, "no open loop"},
		{"no HEAD", with(func(s *Spec) { s.Method = "HEAD" }), "", nil, "HEAD"},
		{"no idle connections", with(func(s *Spec) { s.Idle = 5 }), "", nil, "idle"},
	}
	t.Setenv("TMPDIR", t.TempDir())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			argv, _, err := wrkGenerator{}.Command("", tt.spec)
			if tt.says != "" {
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v; it should say %q", err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(argv, "-s"); i >= 0 {
				lua, err := os.ReadFile(argv[i+1])
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range tt.lua {
					if !strings.Contains(string(lua), part) {
						t.Errorf("the script lacks %q:\n%s", part, lua)
					}
				}
				argv[i+1] = "SCRIPT"
			}
			if got := strings.Join(argv, " "); got != tt.argv {
				t.Errorf("got  %s\nwant %s", got, tt.argv)
			}
		})
	}
}

func TestScriptsAreNotWrittenIntoOtherPeoplesDirectories(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	first, err := keepScript("x = 1")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := keepScript("x = 1"); err != nil || again != first {
		t.Errorf("%s, %v; the first time it was %s", again, err, first)
	}
	if err := os.Chmod(filepath.Dir(first), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := keepScript("x = 1"); err == nil || !strings.Contains(err.Error(), "only this user writes") {
		t.Errorf("a directory that all may write: %v", err)
	}
}

func TestGenerators(t *testing.T) {
	for _, g := range Generators {
		found, ok := Find(g.Name())
		if !ok || found.Name() != g.Name() {
			t.Errorf("%s is not found", g.Name())
		}
		if g.Available() == nil && !strings.Contains(g.Version(), g.Name()) {
			t.Errorf("%s calls itself %q", g.Name(), g.Version())
		}
		if _, err := g.Parse([]byte("nonsense"), []byte("\nit broke\n")); err == nil || !strings.Contains(err.Error(), "it broke") {
			t.Errorf("%s made of nonsense: %v", g.Name(), err)
		}
	}
	if _, ok := Find("ab"); ok {
		t.Error("an unknown generator was found")
	}
}
