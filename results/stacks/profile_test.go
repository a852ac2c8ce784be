package stacks

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/pprof/profile"
)

// build makes a profile of folded lines with the values [samples/count, cpu/nanoseconds], as the lab records.
func build(t testing.TB, lines ...string) *profile.Profile {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	for _, line := range lines {
		frames := unfoldStack(line)
		s := &profile.Sample{Value: []int64{1, 250_000}}
		for i := len(frames) - 1; i >= 0; i-- {
			l := &profile.Location{ID: uint64(len(p.Location) + 1)}
			if m := frames[i].Module; m != "" {
				l.Mapping = &profile.Mapping{ID: uint64(len(p.Mapping) + 1), File: "/usr/bin/" + m}
				if m == KernelModule {
					l.Mapping.File = "[kernel.kallsyms]"
				}
				p.Mapping = append(p.Mapping, l.Mapping)
			}
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: frames[i].Name}
			l.Line = []profile.Line{{Function: f}}
			p.Function, p.Location = append(p.Function, f), append(p.Location, l)
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func pack(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead(t *testing.T) {
	made := build(t, "nginx;main;write_[libc.so.6];do_syscall_64_[k]", "idle", "nginx;main", "idle", "nginx;main;write_[libc.so.6];do_syscall_64_[k]", "nginx;gone")
	made.Sample[5].Value = []int64{0, 0}
	data := pack(t, made)
	plain := bytes.Buffer{}
	if err := made.WriteUncompressed(&plain); err != nil {
		t.Fatal(err)
	}
	want := &Profile{Unit: "nanoseconds", Total: 1_250_000, Stacks: []Stack{
		{Value: 500_000, Frames: []Frame{{"idle", ""}}},
		{Value: 250_000, Frames: []Frame{{"nginx", ""}, {"main", "nginx"}}},
		{Value: 500_000, Frames: []Frame{{"nginx", ""}, {"main", "nginx"}, {"write", "libc.so.6"}, {"do_syscall_64", KernelModule}}},
	}}
	for _, kind := range []string{"", "cpu"} {
		for _, data := range [][]byte{data, plain.Bytes()} {
			p, err := Read(iotest.OneByteReader(bytes.NewReader(data)), kind)
			if err != nil || !reflect.DeepEqual(p, want) {
				t.Errorf("%q: %+v, %v", kind, p, err)
			}
		}
	}
	p, err := Read(bytes.NewReader(data), "samples")
	if err != nil || p.Unit != "count" || p.Total != 5 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestReadInlined: one location holds several functions, and some have no name or none at all.
func TestReadInlined(t *testing.T) {
	made := build(t, "coreserver;lost;outer;leaf")
	leaf, outer, lost := made.Sample[0].Location[0], made.Sample[0].Location[1], made.Sample[0].Location[2]
	lost.Mapping = nil
	inlined := &profile.Function{ID: 5, Name: "inlined"}
	nameless := &profile.Function{ID: 6}
	made.Function = append(made.Function, inlined, nameless)
	outer.Line = []profile.Line{{Function: inlined}, {Function: nameless}, {Function: outer.Line[0].Function}} // the innermost first
	leaf.Line = nil
	leaf.Mapping.File = "[vdso]"
	p, err := Read(bytes.NewReader(pack(t, made)), "")
	if err != nil {
		t.Fatal(err)
	}
	want := []Frame{{"coreserver", ""}, {"lost", "unknown"}, {"outer", "coreserver"}, {"[unknown]", "coreserver"}, {"inlined", "coreserver"}, {"[unknown]", "vdso"}}
	if len(p.Stacks) != 1 || !reflect.DeepEqual(p.Stacks[0].Frames, want) {
		t.Errorf("%v", p.Stacks)
	}
}

func TestModuleOf(t *testing.T) {
	for file, want := range map[string]string{
		"[kernel.kallsyms]": KernelModule, "[kernel.kallsyms]_stext": KernelModule, "[guest.kernel.kallsyms]": KernelModule, "[kernel]": KernelModule,
		"[nf_tables]": "[nf_tables]", "[vdso]": "vdso", "[vsyscall]": "vsyscall", "[unknown]": "unknown", "[anon:x]": "anon:x", "[heap]": "heap",
		"/usr/lib/x86_64-linux-gnu/libc.so.6": "libc.so.6", "coreserver": "coreserver", "": "", "/": "",
	} {
		if got := moduleOf(file); got != want {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
		if kernel := (Frame{"f", moduleOf(file)}).Kernel(); kernel != strings.HasPrefix(want, "[") {
			t.Errorf("%q: of the kernel: %v", file, kernel)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := pack(t, build(t, "a;b"))
	negative := build(t, "a;b")
	negative.Sample[0].Value[1] = -1
	huge := build(t, "a;b", "a;c", "a;d")
	for _, s := range huge.Sample {
		s.Value[1] = 1 << 62
	}
	deep := build(t, "a;b")
	for range maxStackFrames {
		deep.Sample[0].Location = append(deep.Sample[0].Location, deep.Sample[0].Location[0])
	}
	broken := errors.New("cable cut")
	for _, test := range []struct {
		name string
		in   io.Reader
		kind string
		want string
	}{
		{"empty", strings.NewReader(""), "", "stacks: read a profile: "},
		{"text", strings.NewReader("nginx;main 3\n"), "", "stacks: read a profile: "},
		{"cut", bytes.NewReader(good[:len(good)-9]), "", "stacks: read a profile: "},
		{"no such value", bytes.NewReader(good), "delay", `stacks: the profile has no values of the type "delay"`},
		{"below zero", bytes.NewReader(pack(t, negative)), "", "stacks: read a profile: a value is below zero"},
		{"too much", bytes.NewReader(pack(t, huge)), "", "stacks: read a profile: the sum of its values"},
		{"too deep", bytes.NewReader(pack(t, deep)), "", "stacks: read a profile: a stack has 4098 frames"},
		{"a reader's", io.MultiReader(bytes.NewReader(good[:20]), iotest.ErrReader(broken)), "", "stacks: read a profile: cable cut"},
	} {
		p, err := Read(test.in, test.kind)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, %v, want %s", test.name, p, err, test.want)
		}
	}
}
