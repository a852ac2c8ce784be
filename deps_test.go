package corelab

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// A rule says what the packages below from must never import. A pattern ends at a path element: "net" is net and not
// net/netip; "net/..." is all below net and net itself.
type rule struct {
	from   string
	forbid []string
	except []string
	deep   bool // in all that they link, not only by themselves
	reason string
}

var rules = []rule{
	{"corelab/httpcore",
		[]string{"net/...", "os/...", "sync/...", "syscall/...", "golang.org/x/sys/...", "runtime/...", "corelab/..."}, []string{"net/netip"}, false,
		"httpcore is HTTP without I/O: it opens nothing, takes no lock and starts no goroutine"},
	{"corelab/servers/...",
		[]string{"corelab/apps/...", "corelab/runner/...", "corelab/results/...", "net/http/..."}, nil, true,
		"a core waits for the network; what it serves comes in as a Handler"},
	{"corelab/apps/...",
		[]string{"corelab/servers/...", "corelab/runner/...", "corelab/results/...", "net/http/..."}, nil, true,
		"an app runs on any core, so it knows none"},
	{"corelab/runner/...",
		[]string{"corelab/httpcore/...", "corelab/servers/...", "corelab/apps/..."}, nil, true,
		"our servers come in by nginx's door, as processes"},
	{"corelab/results/...",
		[]string{"corelab/httpcore/...", "corelab/servers/...", "corelab/apps/...", "corelab/runner/...", "os/exec"}, nil, false,
		"tables are pure functions of recorded runs"},
	{"corelab/cmd/coreserver/...",
		[]string{"corelab/runner/...", "corelab/results/..."}, nil, true,
		"a harness in the same process would change the heap, the GC and the profile of what is measured"},
	{"corelab/cmd/corelab/...",
		[]string{"corelab/httpcore/...", "corelab/servers/...", "corelab/apps/..."}, nil, true,
		"the lab measures processes"},
	{"corelab/cmd/...",
		[]string{"corelab/results/browsertest"}, nil, true,
		"a browser is for tests"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImports(t *testing.T) {
	packages := list(t)
	for _, r := range rules {
		seen := false
		for _, p := range packages {
			if !matches(r.from, p.ImportPath) {
				continue
			}
			seen = true
			imports := p.Imports
			if r.deep {
				imports = p.Deps
			}
			for _, i := range imports {
				if r.forbids(p, i) {
					t.Errorf("%s imports %s: %s", p.ImportPath, i, r.reason)
				}
			}
		}
		if !seen {
			t.Errorf("no package is called %s: the rule guards nothing", r.from)
		}
	}
}

// TestClock finds the one forbidden thing that is no import: httpcore must not read the clock.
func TestClock(t *testing.T) {
	out, err := exec.Command("grep", "-rnE", `time\.(Now|Since|After|NewTimer|Tick)\b`, "httpcore", "--include=*.go", "--exclude=*_test.go").Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		t.Fatal(err)
	}
	if len(out) > 0 {
		t.Errorf("httpcore reads the clock:\n%s", out)
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"net", "net", true}, {"net", "net/netip", false}, {"net/...", "net", true}, {"net/...", "net/http", true},
		{"net/...", "network", false}, {"corelab/...", "corelab/httpcore", true},
	} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.path, got)
		}
	}
}

func (r rule) forbids(p pkg, path string) bool {
	for _, e := range r.except {
		if matches(e, path) {
			return false
		}
	}
	for _, f := range r.forbid {
		if matches(f, path) && !matches(r.from, path) {
			return true
		}
	}
	return false
}

func matches(pattern, path string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == base || strings.HasPrefix(path, base+"/")
	}
	return path == pattern
}

func list(t *testing.T) (packages []pkg) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
