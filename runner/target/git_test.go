package target

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// longTag is a revision's name that is too long for a row.
const longTag = "feature/with-a-name-that-is-longer-than-a-column"

// lister is a coreserver that does nothing but to list its cores.
func lister(cores ...string) string {
	var list []string
	for _, c := range cores {
		list = append(list, fmt.Sprintf(`{"name":%q,"doc":"as of then","lacks":[]}`, c))
	}
	return fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(%q) }\n", `{"cores":[`+strings.Join(list, ",")+`]}`)
}

// newRevisions makes a repository of corelab's shape and changes into it: each commit is a tag. Builds have a cache and a
// temporary folder of their own. It returns the hashes by tag.
func newRevisions(t *testing.T) map[string]string {
	t.Helper()
	gocache := run(t, "go", "env", "GOCACHE")
	t.Chdir(t.TempDir())
	for name, value := range map[string]string{
		"GOCACHE": gocache, "XDG_CACHE_HOME": t.TempDir(), "TMPDIR": t.TempDir(), "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
	} {
		t.Setenv(name, value)
	}
	run(t, "git", "init", "-q", "-b", "main")
	const main = "cmd/coreserver/main.go"
	tags := map[string]string{}
	for _, c := range []struct{ tag, file, content string }{
		{"old", "go.mod", "module corelab\n\ngo 1.26\n"},
		{"v1", main, lister("reactor", "epoll")},
		{longTag, main, lister("reactor", "epoll", "uring")},
		{"broken", main, "package main\n\nfunc main() { undefined() }\n"},
		{"mute", main, "package main\n\nfunc main() {}\n"},
		{"foreign", "go.mod", "module other\n"},
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(c.file), 0o755), os.WriteFile(c.file, []byte(c.content), 0o644)); err != nil {
			t.Fatal(err)
		}
		run(t, "git", "add", "-A")
		run(t, "git", "commit", "-q", "-m", c.tag)
		run(t, "git", "tag", c.tag)
		tags[c.tag] = run(t, "git", "rev-parse", "HEAD")
	}
	return tags
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}

// checkLeft fails where a build has left something behind.
func checkLeft(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{os.TempDir() + "/*", os.Getenv("XDG_CACHE_HOME") + "/corelab/git/" + building + "*"} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
}

func TestGitTargets(t *testing.T) {
	tags := newRevisions(t)
	short := func(tag string) string { return tags[tag][:shortHash] }
	tests := []struct {
		in, name, core, tag string
		flags               []string
		err                 string
	}{
		{in: "git:v1", name: "git:v1", core: "reactor", tag: "v1"},
		{in: " git:v1:epoll ", name: "git:v1:epoll", core: "epoll", tag: "v1"},
		{in: "git:HEAD~4:epoll --limit-pipelined=8 -x", name: "git:HEAD~4:epoll --limit-pipelined=8 -x", core: "epoll", tag: "v1", flags: []string{"--limit-pipelined=8", "-x"}},
		{in: "git:'HEAD^{/v1}'", name: "git:HEAD^{/v1}", core: "reactor", tag: "v1"},
		{in: "git:" + longTag + ":uring -x", name: "git:" + short(longTag) + ":uring -x", core: "uring", tag: longTag, flags: []string{"-x"}},
		{in: "git:" + tags["v1"], name: "git:" + short("v1"), core: "reactor", tag: "v1"},

		{in: "git:", err: "no revision is named; write it like `git:HEAD~3`"},
		{in: "git::epoll", err: "no revision is named"},
		{in: "git:--help", err: "begins like a flag"},
		{in: "git:v1:", err: `"" is no core's name`},
		{in: "git:v1:epoll:x", err: `"epoll:x" is no core's name`},
		{in: "git:v1 'x", err: "quote it as in a shell"},
		{in: "git:v1 epoll", err: `"epoll" is no flag`},
		{in: "git:v1:epoll --addr=:80", err: "--addr is the lab's to set"},
		{in: "git:v1:uring", err: `commit ` + short("v1") + ` has no core "uring"; it has reactor, epoll`},
		{in: "git:nowhere", err: `"nowhere" names no single commit of the repository in`},
		{in: "git:old..v1", err: `"old..v1" names no single commit`},
		{in: "git:^v1", err: `"^v1" names no single commit`},
		{in: "git:v1^{tree}", err: `names no single commit`},
		{in: "git:old", err: "commit " + short("old") + " has no cmd/coreserver: it is older"},
		{in: "git:broken", err: "undefined: undefined"},
		{in: "git:mute", err: "this lab, which is too new for it"},
		{in: "git:foreign", err: "is not corelab's"},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			s, err := ParseContext(t.Context(), test.in, Env{})
			checkLeft(t)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != test.name || s.Kind != KindCore || s.Core.Name != test.core || s.Commit != tags[test.tag] || !slices.Equal(s.Flags, test.flags) {
				t.Errorf("got %+v", s)
			}
			d := s.Describe(Options{})
			if d.Command[0] != "coreserver" || !strings.HasPrefix(d.Note, "commit "+s.Commit+"; as of then") || !strings.HasPrefix(d.Version, "commit "+short(test.tag)+", go1.") {
				t.Errorf("described as %+v", d)
			}
		})
	}
	if state := run(t, "git", "status", "--porcelain") + run(t, "git", "worktree", "list"); strings.Count(state, "\n") > 0 {
		t.Errorf("the repository has changed: %s", state)
	}
}

func TestGitBuildsOnce(t *testing.T) {
	newRevisions(t)
	first, err := Parse("git:v1", Env{})
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(first.binary)
	second, err := Parse("git:v1:epoll", Env{})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(second.binary); err != nil || !os.SameFile(before, after) {
		t.Errorf("built again: %s, %s, %v", first.binary, second.binary, err)
	}
	t.Setenv("GOFLAGS", "-gcflags=-N") // another compiler's setting is another server
	if other, err := Parse("git:v1", Env{}); err != nil || other.binary == first.binary {
		t.Errorf("the same binary with other settings of go: %s, %v", other.binary, err)
	}
}

func TestGitStops(t *testing.T) {
	newRevisions(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ParseContext(ctx, "git:v1", Env{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	// A go that waits until it is interrupted: the build is under way when the context ends.
	bin := t.TempDir()
	started := filepath.Join(bin, "started")
	script := "#!/bin/sh\ncase $1 in env) exit 0;; esac\ntrap 'exit 1' INT\n: >" + started + "\nwhile :; do sleep 0.01; done\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := ParseContext(ctx, "git:v1", Env{})
		ended <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(pollEvery) {
		if _, err := os.Stat(started); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the build does not begin")
		}
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the build does not end")
	}
	checkLeft(t)
}

func TestGitMissing(t *testing.T) {
	newRevisions(t)
	path := os.Getenv("PATH")
	only := func(tool string) string {
		dir := t.TempDir()
		if tool != "" {
			found, err := exec.LookPath(tool)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(found, filepath.Join(dir, tool)); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for _, test := range []struct{ path, dir, err string }{
		{only(""), ".", "apt-get install git"},
		{only("git"), ".", "https://go.dev/doc/install"},
		{path, t.TempDir(), "change into one: `cd corelab`"},
	} {
		t.Run(test.err, func(t *testing.T) {
			t.Setenv("PATH", test.path)
			t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(test.dir))
			t.Chdir(test.dir)
			if _, err := Parse("git:v1", Env{}); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
		})
	}
}

func TestUnpackStaysInside(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, ok := range map[string]bool{"a/b.go": true, "../out.go": false, "/out.go": false} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: ".."})
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1, Mode: 0o600})
		w.Write([]byte("x"))
		w.Close()
		if err := unpack(root, &archive); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("written outside: %v", list)
	}
	if list, _ := os.ReadDir(inside); len(list) != 1 {
		t.Errorf("the link is written: %v", list)
	}
}

func TestGitCacheTrim(t *testing.T) {
	c := gitCache{t.TempDir()}
	now := time.Now()
	add := func(name string, age time.Duration) {
		dir := filepath.Join(c.dir, name)
		file := filepath.Join(dir, "coreserver")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, nil, 0o700), os.Chtimes(file, now.Add(-age), now.Add(-age)), os.Chtimes(dir, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxBuilt {
		add(fmt.Sprintf("day-%d", i), time.Hour)
	}
	add("recent", 2*time.Hour)
	add("old", 2*inUse)
	add("older", 3*inUse)
	add(building+"now", time.Minute)
	add(building+"dead", 2*inUse)
	if _, found := c.find("older"); !found { // asked for: it is the newest now
		t.Fatal("not found")
	}
	c.trim(now)
	for name, stays := range map[string]bool{"day-0": true, "recent": true, "old": false, "older": true, building + "now": true, building + "dead": false} {
		if _, err := os.Stat(filepath.Join(c.dir, name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, found := c.find("old"); found {
		t.Error("what was removed is found")
	}
}
