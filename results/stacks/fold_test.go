package stacks

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestFold(t *testing.T) {
	p := &Profile{Unit: "nanoseconds", Total: 21, Stacks: []Stack{
		{Value: 7, Frames: []Frame{{"idle", ""}}},
		{Value: 10, Frames: []Frame{{"nginx", ""}, {"ngx_writev", "nginx"}, {"writev", "libc.so.6"}, {"do_syscall_64", KernelModule}, {"nf_hook", "[nf_tables]"}}},
		{Value: 4, Frames: []Frame{{"p", ""}, {"a;b\nc\u2028d\x1b[0m", "p"}, {"interface {}.Read", "x;y"}}},
	}}
	var b bytes.Buffer
	if err := Fold(&b, p); err != nil {
		t.Fatal(err)
	}
	const want = "idle 7\n" +
		"nginx;ngx_writev;writev_[libc.so.6];do_syscall_64_[k];nf_hook_[k] 10\n" +
		"p;a:b c d [0m;interface {}.Read_[x:y] 4\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	back, err := Unfold(&b, p.Unit)
	if err != nil {
		t.Fatal(err)
	}
	if back.Total != 21 || back.Unit != p.Unit || len(back.Stacks) != 3 {
		t.Errorf("%+v", back)
	}
	if got := back.Stacks[1].Frames; !reflect.DeepEqual(got, []Frame{{"nginx", ""}, {"ngx_writev", "nginx"}, {"writev", "libc.so.6"}, {"do_syscall_64", KernelModule}, {"nf_hook", KernelModule}}) {
		t.Errorf("%v", got)
	}
}

// TestFoldTwice: what was read of folded text is written as it was, for every recorded profile.
func TestFoldTwice(t *testing.T) {
	for name, p := range recorded(t) {
		var once, twice bytes.Buffer
		if err := Fold(&once, p); err != nil {
			t.Fatal(err)
		}
		back, err := Unfold(bytes.NewReader(once.Bytes()), p.Unit)
		if err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(back, p) {
			t.Errorf("%s changes when it is folded and unfolded", name)
		}
		if err := Fold(&twice, back); err != nil || once.String() != twice.String() {
			t.Errorf("%s folds otherwise a second time, %v", name, err)
		}
	}
}

func TestUnfold(t *testing.T) {
	// As stackcollapse-perf.pl writes: no files, and the same stack in two lines after a change of names.
	p, err := Unfold(strings.NewReader("nginx;main;writev;do_syscall_64_[k] 2\n\nnginx;main 1\nnginx;main 3"), "count")
	if err != nil {
		t.Fatal(err)
	}
	want := &Profile{Unit: "count", Total: 6, Stacks: []Stack{
		{Value: 4, Frames: []Frame{{"nginx", ""}, {"main", "nginx"}}},
		{Value: 2, Frames: []Frame{{"nginx", ""}, {"main", "nginx"}, {"writev", "nginx"}, {"do_syscall_64", KernelModule}}},
	}}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("%+v", p)
	}
	for _, test := range []struct{ text, want string }{
		{"a;b", "line 1: strconv"},
		{"a 1\na;b x", "line 2: strconv"},
		{"a -1", "line 1: a value is below zero"},
		{"a 9223372036854775807\nb 1", "line 2: the sum of its values"},
		{"a 9223372036854775808", "line 1: strconv"},
		{strings.Repeat("a;", maxStackFrames) + "a 1", "line 1: a stack has 4097 frames"},
		{"a 1\n" + strings.Repeat("a", maxFolded+1) + " 1", "line 2: bufio.Scanner: token too long"},
	} {
		if _, err := Unfold(strings.NewReader(test.text), "count"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.20q: %v, want %s", test.text, err, test.want)
		}
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestFoldTellsOfErrors(t *testing.T) {
	if err := Fold(fullDisk{}, &Profile{Stacks: []Stack{{[]Frame{{"a", ""}}, 1}}}); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

func FuzzUnfold(f *testing.F) {
	f.Add("nginx;a_[libc.so.6];b_[k] 3\nidle 4\n")
	f.Add("_[k];_[];_[ 1")
	f.Add("a_[k]_[x] 1\n;; 2\n 3")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Unfold(strings.NewReader(text), "count")
		if err != nil {
			return
		}
		a, total := p.Attribute(), int64(0)
		for _, v := range a.By {
			total += v
		}
		if total != p.Total {
			t.Fatalf("the layers are %d of %d", total, p.Total)
		}
		var b bytes.Buffer
		if err := Fold(&b, p); err != nil {
			t.Fatal(err)
		}
		back, err := Unfold(&b, "count")
		if err != nil || back.Total != p.Total {
			t.Fatalf("%q: %v, %v", text, back, err)
		}
	})
}
