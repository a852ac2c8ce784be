package stacks

import (
	"compress/gzip"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// recorded returns the profiles of testdata/recorded by their names: real ones of some seconds of a closed loop over loopback
// on two CPUs, as folded text, and two as the lab stores them.
func recorded(t testing.TB) map[string]*Profile {
	t.Helper()
	files, err := filepath.Glob("testdata/recorded/*.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata/recorded", err)
	}
	profiles := map[string]*Profile{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		name, folded := strings.CutSuffix(filepath.Base(path), ".folded.gz")
		var p *Profile
		if folded {
			var z *gzip.Reader
			if z, err = gzip.NewReader(f); err == nil {
				p, err = Unfold(z, "nanoseconds")
			}
		} else {
			p, err = Read(f, "cpu")
		}
		f.Close()
		if err != nil {
			t.Fatal(path, err)
		}
		profiles[name] = p
	}
	return profiles
}

// TestOther is the lab's promise: what no rule knows is less than a twentieth of any target's time. And for the targets that
// the lab brings itself the table knows their functions by name.
func TestOther(t *testing.T) {
	for name, p := range recorded(t) {
		a := p.Attribute()
		if a.Busy == 0 || a.Share(Other) >= 0.05 {
			t.Errorf("%s: other is %.1f %% of its time: %v", name, 100*a.Share(Other), a.Unknown)
		}
		if unnamed := float64(a.Unnamed) / float64(a.Busy); unnamed >= unnamedBound(name) {
			t.Errorf("%s: %.1f %% of its time is in functions that no line names", name, 100*unnamed)
		}
	}
}

// unnamedBound is how much of a target's time may be in functions of its own that no line of the table names. Static
// functions of programs in C have no names where these come without symbols.
func unnamedBound(name string) float64 {
	for _, program := range []string{"nginx", "haproxy", "h2o"} {
		if strings.Contains(name, program) {
			return 0.1
		}
	}
	return 0.01
}

func TestAttribute(t *testing.T) {
	p, err := Unfold(strings.NewReader(strings.Join([]string{
		"idle;do_idle_[k] 1000",
		"nginx;do_syscall_64_[k];tcp_sendmsg_[k];memcpy_[k] 100",
		"nginx;ngx_http_parse_request_line 50",
		"nginx;ngx_unheard_of 20",
		"nginx;strlen_[libc.so.6] 7",
		"nginx;strcmp_[libc.so.6] 8",
		"nginx;bpf_prog_1_[k] 5",
	}, "\n")), "nanoseconds")
	if err != nil {
		t.Fatal(err)
	}
	want := Attribution{
		By:      map[Layer]int64{Idle: 1000, SocketSend: 100, Parse: 50, Handler: 20, Other: 20},
		Busy:    190,
		Kernel:  105,
		Unnamed: 20,
		Unknown: []Frame{{"strcmp", "libc.so.6"}, {"strlen", "libc.so.6"}, {"bpf_prog_1", KernelModule}},
	}
	if got := p.Attribute(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := want.Share(SocketSend); got != 100./190 {
		t.Error(got)
	}
	if want.Share(Idle) != 0 || (Attribution{}).Share(Parse) != 0 {
		t.Error("idle, and what is empty, have a share")
	}
	empty := (&Profile{}).Attribute()
	if empty.Busy != 0 || len(empty.By) != 0 || len(empty.Unknown) != 0 {
		t.Errorf("%v", empty)
	}
	if got := (&Profile{Stacks: []Stack{{nil, 3}}, Total: 3}).Attribute(); got.By[Other] != 3 || got.Busy != 3 {
		t.Errorf("a stack without frames: %v", got)
	}
}

// TestUnknownIsBounded: of many unknown leaves the most frequent are shown, equal ones by name.
func TestUnknownIsBounded(t *testing.T) {
	var lines []string
	for _, c := range "lkjihgfedcba" {
		lines = append(lines, "p;"+string(c)+"_[lib] 1")
	}
	p, err := Unfold(strings.NewReader(strings.Join(append(lines, "p;z_[lib] 2"), "\n")), "count")
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, f := range p.Attribute().Unknown {
		got += f.Name
	}
	if got != "zabcdefghi" {
		t.Error(got)
	}
}

// TestAttributeIsLayerOf holds Attribute, which remembers, to LayerOf, and to every order of the stacks.
func TestAttributeIsLayerOf(t *testing.T) {
	shuffle := rand.New(rand.NewPCG(1, 2))
	for name, p := range recorded(t) {
		want, total := map[Layer]int64{}, int64(0)
		for _, s := range p.Stacks {
			l, at := LayerOf(s)
			if (at < 0) && l != Other || at >= len(s.Frames) {
				t.Errorf("%s: %s by frame %d of %v", name, l, at, s.Frames)
			}
			want[l] += s.Value
			total += s.Value
		}
		if total != p.Total {
			t.Errorf("%s: %d of %d", name, total, p.Total)
		}
		first := p.Attribute()
		if !reflect.DeepEqual(first.By, want) || first.Busy != total-want[Idle] {
			t.Errorf("%s: got %v, want %v", name, first.By, want)
		}
		other := &Profile{Unit: p.Unit, Total: p.Total, Stacks: slices.Clone(p.Stacks)}
		for range 3 {
			shuffle.Shuffle(len(other.Stacks), func(i, j int) { other.Stacks[i], other.Stacks[j] = other.Stacks[j], other.Stacks[i] })
			if again := other.Attribute(); !reflect.DeepEqual(again, first) {
				t.Errorf("%s: in another order %v, not %v", name, again, first)
			}
		}
	}
}

func TestKernelLayers(t *testing.T) {
	if Transmit.Kernel() != true || Parse.Kernel() || Idle.Kernel() || Other.Kernel() {
		t.Error("Layer.Kernel")
	}
	seen := map[Layer]bool{}
	for _, l := range Layers {
		if seen[l] {
			t.Errorf("%s is twice in Layers", l)
		}
		seen[l] = true
	}
}

func BenchmarkAttribute(b *testing.B) {
	stacks := 0
	profiles := recorded(b)
	for _, p := range profiles {
		stacks += len(p.Stacks)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range profiles {
			p.Attribute()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(stacks), "ns/stack")
}
