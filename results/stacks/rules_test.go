package stacks

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stackCase is a line of testdata/cases: a layer, a bar, and a folded stack.
type stackCase struct {
	where string // file and line
	layer Layer
	stack Stack
}

// readCases reads the stacks of all files of testdata/cases.
func readCases(t testing.TB) (cases []stackCase) {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata/cases", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			line = strings.TrimSuffix(line, "\n")
			if line == "" || line[0] == '#' {
				continue
			}
			where := (&rule{line: n}).String()
			where = filepath.Base(name) + strings.TrimPrefix(where, "layers.txt")
			layer, stack, found := strings.Cut(line, " | ")
			if !found || !slices.Contains(Layers, Layer(layer)) {
				t.Fatalf("%s %q is no layer, bar and stack", where, line)
			}
			cases = append(cases, stackCase{where, Layer(layer), Stack{Frames: unfoldStack(stack), Value: 1}})
		}
	}
	return cases
}

// without is the layers that the programs of a file do not have. A server's own recording has no idle time, and of some there
// is nothing that is not known.
var without = map[string][]Layer{
	"cores.txt":     {Other, Idle},
	"gopeers.txt":   {Other, Idle},
	"nginx.txt":     {Scheduler, Netpoller, Other, Idle},
	"haproxy.txt":   {Scheduler, Netpoller, Other, Idle},
	"h2o.txt":       {Scheduler, Netpoller, Other, Idle},
	"elsewhere.txt": {Netpoller},
}

// TestCases holds the table to what recorded stacks are known to be, and that every one of its patterns decides one.
func TestCases(t *testing.T) {
	used := map[*rule]bool{}
	seen := map[string]map[Layer]bool{} // by file
	for _, c := range readCases(t) {
		got, at := LayerOf(c.stack)
		if got != c.layer {
			decider := Frame{}
			if at >= 0 {
				decider = c.stack.Frames[at]
			}
			t.Errorf("%s got %s by %v, want %s", c.where, got, decider, c.layer)
		}
		r, _ := layers.decide(c.stack.Frames, layers.find)
		used[r] = true
		file, _, _ := strings.Cut(c.where, ":")
		if seen[file] == nil {
			seen[file] = map[Layer]bool{}
		}
		seen[file][c.layer] = true
	}
	for file, layers := range seen {
		for _, l := range Layers {
			if !layers[l] && !slices.Contains(without[file], l) {
				t.Errorf("no stack of %s is %s", file, l)
			}
		}
	}
	for _, r := range layers.all {
		if !used[r] && r.layer != neutral {
			t.Errorf("%v decides no stack of testdata/cases: it is dead, or a stack of its target is missing", r)
		}
	}
}

// TestNeutral holds every neutral pattern to its purpose: without it a wider one would decide.
func TestNeutral(t *testing.T) {
	for _, r := range layers.all {
		if r.layer != neutral {
			continue
		}
		f, program := Frame{Name: r.pattern + "x", Module: "p"}, "p"
		if !r.prefix {
			f.Name = r.pattern
		}
		switch r.place {
		case inKernel:
			f.Module = KernelModule
		case inModule:
			f.Module, program = strings.TrimSuffix(r.module, "*"), strings.TrimSuffix(r.module, "*")
		}
		if got := layers.find(f, program); got != r {
			t.Errorf("%v is not what decides %v, but %v", r, f, got)
		}
		without := *layers
		without.exact, without.prefixes = map[string][]*rule{}, nil
		wide := map[string][]*rule{}
		for _, o := range layers.all {
			if o != r {
				without.add(o, wide)
			}
		}
		without.sortPrefixes(wide)
		if got := without.find(f, program); got == nil {
			t.Errorf("%v takes nothing out of a wider pattern", r)
		}
	}
}

func TestPrecedence(t *testing.T) {
	table, err := parseLayers(strings.Join([]string{
		"# a comment", "", "[idle]", "root idle",
		"[parse]", "user a*", "in lib* ab ", "in m*  c*", "[route]", "kernel a*", "user abc*  ab*", "[reply]", "user abcd c*", "kernel exact",
		"[handler]", "program *", "[neutral]", "user neutral* abc-not",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stack string
		want  Layer
		at    int
	}{
		{"p;a", Parse, 1},
		{"p;ab", Route, 1},
		{"p;abcd", Reply, 1},
		{"p;abcde", Route, 1},
		{"p;abb", Route, 1},
		{"p;az", Parse, 1},
		{"p;a_[k]", Route, 1},
		{"p;x_[k]", "", -1},
		{"p;exact.isra.0_[k]", Reply, 1},
		{"p;ab@plt", Route, 1},
		{"p;b", Handler, 1},
		{"p;b_[lib]", "", -1},
		{"p;b_[k]", "", -1},
		{"p;b;a;b_[k]", Parse, 2},
		{"p;a;b", Handler, 2},
		{"p;a;neutral1;abc-not", Parse, 1},
		{"p;neutral1", "", -1},
		{"idle;a", Idle, 0},
		{"p;idle", Handler, 1},
		{"a", "", -1},         // a root is no function
		{"a_[lib]", Parse, 0}, // but a stack may have none
		{"", "", -1},
	} {
		frames := unfoldStack(test.stack)
		if test.stack == "" {
			frames = nil
		}
		r, at := table.decide(frames, table.find)
		got := Layer("")
		if r != nil {
			got = r.layer
		}
		if got != test.want || at != test.at {
			t.Errorf("%s: %q by %d, want %q by %d", test.stack, got, at, test.want, test.at)
		}
	}
}

// TestModuleFirst: of the same patterns the one with a module decides, before the one for all of user space.
func TestModuleFirst(t *testing.T) {
	for _, text := range []string{
		"[parse]\nuser x\nin lib* x\nprogram x\n[route]\nin m x",
		"[route]\nin m x\n[parse]\nprogram x\nin lib* x\nuser x",
	} {
		table, err := parseLayers(text)
		if err != nil {
			t.Fatal(err)
		}
		if r := table.find(Frame{"x", "m"}, "m"); r == nil || r.layer != Route {
			t.Errorf("%q: %v", text, r)
		}
		if r := table.find(Frame{"x", "libc.so.6"}, "m"); r == nil || r.place != inModule {
			t.Errorf("%q: %v", text, r)
		}
		if r := table.find(Frame{"x", "other"}, "other"); r == nil || r.place != inUser {
			t.Errorf("%q: %v", text, r)
		}
	}
}

func TestPlain(t *testing.T) {
	for _, test := range []struct{ name, module, want string }{
		{"tcp_sendmsg", KernelModule, "tcp_sendmsg"},
		{"finish_task_switch.isra.0", KernelModule, "finish_task_switch"},
		{"do_softirq.part.0.cold", KernelModule, "do_softirq"},
		{"__sys_sendto", KernelModule, "__sys_sendto"},
		{"__GI___writev", "libc.so.6", "writev"},
		{"__libc_recv", "libc-2.31.so", "recv"},
		{"_int_free", "libc.so.6", "_int_free"},
		{"__strchrnul_evex", "libc.so.6", "strchrnul_evex"},
		{"cfree@GLIBC_2.2.5", "libc.so.6", "cfree"},
		{"clock_gettime@@GLIBC_2.17", "libc.so.6", "clock_gettime"},
		{"__libc_recv", "nginx", "__libc_recv"},
		{"@plt", "nginx", "@plt"},
		{"memcpy@plt", "nginx", "memcpy"},
		{"runtime.goexit.abi0", "coreserver", "runtime.goexit"},
		{"corelab/httpcore.(*Conn).Feed", "coreserver", "corelab/httpcore.(*Conn).Feed"},
		{"main.main.func1", "coreserver", "main.main.func1"},
		{"", "", ""},
	} {
		if got := plain(Frame{test.name, test.module}); got != test.want {
			t.Errorf("%s of %s: %q, want %q", test.name, test.module, got, test.want)
		}
	}
}

func TestTableErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"kernel x", "layers.txt:1: a line before the first layer"},
		{"[parse]\n\n[prase]", "layers.txt:3: [prase] is no layer"},
		{"[parse", "layers.txt:1: [parse is no layer"},
		{"[parse]\nkernal x", `layers.txt:2: a line begins with kernel, user, in, program or root, not with "kernal"`},
		{"[parse]\nkernel", "layers.txt:2: no pattern"},
		{"[parse]\nin libc*", "layers.txt:2: no pattern"},
		{"[parse]\nuser x y\n# it is\n[route]\nuser z x", "layers.txt:5: x stands in line 2 as well"},
		{"[parse]\nuser x* x*", "layers.txt:2: x* stands in line 2 as well"},
		{"[idle]\nroot idle idle", "layers.txt:2: idle stands in line 2 as well"},
		{"[idle]\nroot idle*", "layers.txt:2: idle*: a root has its whole name"},
	} {
		_, err := parseLayers(test.text)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: %v, want %s", test.text, err, test.want)
		}
		func() {
			defer func() {
				if e, is := recover().(error); !is || e.Error() != test.want {
					t.Errorf("%q does not panic with its line", test.text)
				}
			}()
			mustParse(test.text)
		}()
	}
	if _, err := parseLayers("[parse]\nuser x\nkernel x\nin m x\nprogram x\nuser x*"); err != nil {
		t.Error(err)
	}
}

// TestFindIsLongest compares find with a walk over all rules.
func TestFindIsLongest(t *testing.T) {
	names := []string{""}
	for _, r := range layers.all {
		names = append(names, r.pattern, r.pattern+"x", r.pattern+".x", strings.TrimSuffix(r.pattern, "."), r.pattern[:len(r.pattern)/2])
	}
	for _, module := range []string{KernelModule, "nginx", "haproxy", "h2o", "coreserver", "libc.so.6", "[nf_tables]", "vdso"} {
		for _, name := range names {
			f := Frame{name, module}
			var want *rule
			name := plain(f)
			for _, r := range layers.all {
				if r.place == atRoot || !r.holds(f, "nginx") || r.prefix && !strings.HasPrefix(name, r.pattern) || !r.prefix && name != r.pattern {
					continue
				}
				if want == nil || better(r, want) {
					want = r
				}
			}
			if got := layers.find(f, "nginx"); got != want {
				t.Errorf("%v: %v, want %v", f, got, want)
			}
		}
	}
}

func better(a, b *rule) bool {
	switch {
	case a.prefix != b.prefix:
		return b.prefix
	case len(a.pattern) != len(b.pattern):
		return len(a.pattern) > len(b.pattern)
	}
	return a.place < b.place
}

// TestTableIsReadable holds layers.txt to the width of a page.
func TestTableIsReadable(t *testing.T) {
	in := bufio.NewScanner(strings.NewReader(layersText))
	for n := 1; in.Scan(); n++ {
		if len(in.Text()) > 150 || strings.ContainsRune(in.Text(), '\t') {
			t.Errorf("layers.txt:%d is too wide, or has a tab", n)
		}
	}
}
