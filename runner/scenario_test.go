package runner

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"corelab/scenarios"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to accept):\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

func TestScenariosOfTheLab(t *testing.T) {
	all, err := LoadScenarios(scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range all {
		b.WriteString(s.Name + ": " + s.Words() + "\n")
		for _, c := range s.Cases() {
			b.WriteString("  " + strings.TrimSpace(c.Name+" "+c.Request.String()) + "\n")
		}
	}
	golden(t, "scenarios.golden", b.String())
}

const sound = `question = "Why?"
why = "because"
request = "GET /plaintext"
placement = "one"
[expect]
body = "Hello, World!"
[load]
loop = "closed"
connections = 4
`

// Each source has one mistake; the golden file holds what the user reads.
func TestBadScenarios(t *testing.T) {
	cases := []struct{ name, old, new string }{
		{"unknown key", "why = ", "wy = "},
		{"unknown key in a table", "loop = ", "lop = "},
		{"unknown table", "[load]", "[laod]"},
		{"unknown key of a plan", "[load]", "[plan.standard]\nround = 3\n[load]"},
		{"unknown plan", "[load]", "[plan.fast]\nrounds = 3\n[load]"},
		{"not toml", "placement = ", "placement : "},
		{"twice", "placement = ", "why = \"so\"\nplacement = "},
		{"wrong type", "connections = 4", `connections = "four"`},
		{"no question", `"Why?"`, `"This is so."`},
		{"no why", `why = "because"`, ""},
		{"no request", `request = "GET /plaintext"`, ""},
		{"bad request", "GET /plaintext", "GET plaintext"},
		{"unknown loop", `"closed"`, `"ajar"`},
		{"unknown placement", `"one"`, `"two"`},
		{"no expectation", `body = "Hello, World!"`, ""},
		{"rate in a closed loop", "connections = 4", "connections = 4\nrate = 100.0"},
		{"open loop without rate", `"closed"`, `"open"`},
		{"vegeta in a closed loop", `placement = "one"`, "placement = \"one\"\ngenerator = \"vegeta\""},
		{"no connections", "connections = 4", ""},
		{"too many connections", "connections = 4", "connections = 1000000"},
		{"depth of fresh ones", "connections = 4", "connections = 4\nfresh = true\ndepth = 2"},
		{"two lists", "connections = 4", "connections = 4\n[vary]\ndepth = [1,2]\nidle = [1]"},
		{"empty list", "connections = 4", "connections = 4\n[vary]\ndepth = []"},
		{"value twice", "connections = 4", "[vary]\nconnections = [1, 2, 1]"},
		{"size without place", "connections = 4", "connections = 4\n[vary]\nsize = [\"1KiB\"]"},
		{"place without size", "GET /plaintext", "GET /bytes/{size}"},
		{"bad size", "connections = 4", "connections = 4\n[vary]\nsize = [\"1KB\"]"},
		{"bad duration", `placement = "one"`, "placement = \"one\"\nduration = \"1 sec\""},
		{"unknown case of a plan", "connections = 4", "[vary]\nconnections = [50]\n[plan.smoke]\ncases = [\"connections=51\"]"},
		{"second look by the same", "connections = 4", "connections = 4\n[[also]]\ngenerator = \"corelab\"\ntargets = [\"nginx\"]"},
		{"second second look", "connections = 4", "connections = 4\n[[also]]\ngenerator = \"wrk\"\ntargets = [\"nginx\"]\n[[also]]\ngenerator = \"wrk\""},
		{"repeat without a size", `body = "Hello, World!"`, `repeat = "abc"`},
		{"size without repeat", `body = "Hello, World!"`, "body = \"x\"\nsize = \"1KiB\""},
		{"burst in a closed loop", "connections = 4", "connections = 4\n[load.burst]\naround = 50\nbefore = 10\nlasts = 20"},
		{"burst without an end", `loop = "closed"`, "loop = \"open\"\npercent = 200\nburst = { around = 50, before = 50, lasts = 50 }"},
		{"burst around too much", `loop = "closed"`, "loop = \"open\"\npercent = 200\nburst = { around = 150, before = 10, lasts = 20 }"},
		{"beyond the ceiling without a burst", `loop = "closed"`, "loop = \"open\"\npercent = 200"},
		{"unknown key of a burst", "connections = 4", "connections = 4\n[load.burst]\narround = 50"},
		{"work without a gateway", "connections = 4", "connections = 4\n[vary]\nwork = [\"bare\"]"},
		{"gateway without an upstream", "connections = 4", "connections = 4\n[gateway]\nwork = \"bare\""},
		{"gateway without work", "connections = 4", "connections = 4\n[gateway]\nupstream = \"reactor\""},
		{"unknown work", "connections = 4", "connections = 4\n[gateway]\nupstream = \"reactor\"\nwork = \"dance\""},
		{"unknown work of a list", "connections = 4", "connections = 4\n[gateway]\nupstream = \"reactor\"\ntogether = \"works\"\n[vary]\nwork = [\"bare\", \"dance\"]"},
		{"work twice", "connections = 4", "connections = 4\n[gateway]\nupstream = \"reactor\"\ntogether = \"works\"\n[vary]\nwork = [\"bare\", \"bare\"]"},
		{"works held against nothing", "connections = 4", "connections = 4\n[gateway]\nupstream = \"reactor\"\n[vary]\nwork = [\"bare\", \"null\"]"},
		{"an upstream with flags", "connections = 4", "connections = 4\n[gateway]\nupstream = \"pool --threads 4\"\nwork = \"bare\""},
		{"unknown feature", `placement = "one"`, "placement = \"one\"\nneeds = [\"http2\"]"},
	}
	if _, err := ParseScenario("good.toml", []byte(sound)); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range cases {
		src := strings.Replace(sound, c.old, c.new, 1)
		if src == sound {
			t.Fatalf("%s: nothing replaced", c.name)
		}
		_, err := ParseScenario("mine/bad.toml", []byte(src))
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		b.WriteString("# " + c.name + "\n" + err.Error() + "\n")
	}
	golden(t, "bad-scenarios.golden", b.String())
}

func TestLoadScenarios(t *testing.T) {
	own := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(own, []byte(sound), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := LoadScenarios(scenarios.Files, "json", own)
	if err != nil || len(got) != 2 || got[0].Name != "json" || got[1].Name != "mine" {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, names := range [][]string{{"jsn"}, {"json", "json"}, {"no/such.toml"}} {
		if _, err := LoadScenarios(scenarios.Files, names...); err == nil {
			t.Errorf("%v: accepted", names)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"512": 512, "1KiB": 1024, "16MiB": 16 << 20} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want || s.String() != text {
			t.Errorf("%q: %d %q %v", text, s, s, err)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1.5KiB", "99999999999", "4095MiB", "1 KiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: accepted as %d", text, s)
		}
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add([]byte(sound))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := ParseScenario("f.toml", src)
		if err == nil && len(s.Cases()) == 0 {
			t.Error("a scenario without a case")
		}
		if err != nil && !strings.HasPrefix(err.Error(), "f.toml:") {
			t.Errorf("no position: %v", err)
		}
	})
}
