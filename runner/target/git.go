package target

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	shellquote "github.com/kballard/go-shellquote"
)

const (
	gitPrefix = "git:"
	// gitCore serves a revision of which no core is named.
	gitCore = "reactor"
	// gitForm is how a revision is written, for errors.
	gitForm = "write it like `git:HEAD~3`, `git:v1:epoll` or `git:main:epoll --limit-pipelined 8`"
	// ownModule is the module whose revisions these are.
	ownModule = "corelab"
	// shortHash is how much of a commit's hash names it in a row.
	shortHash = 12
	// gitBound bounds each question to git, buildBound the build of a revision, modules that it must fetch included.
	gitBound, buildBound = 10 * time.Second, 5 * time.Minute
	// buildQuiet is how long a build takes before it is spoken of.
	buildQuiet = 2 * time.Second
	// buildGrace is what the go command has to remove its own files once it is interrupted.
	buildGrace = 3 * time.Second
	// buildLines bounds what an error shows of a compiler's output.
	buildLines = 12
	// maxTree bounds the files of a revision, in bytes.
	maxTree = 1 << 30
)

var hashForm = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// parseGit reads git:REV[:CORE [flags]], and builds the revision's coreserver unless that was done before.
func parseGit(ctx context.Context, words []string, env Env) (Spec, error) {
	// A build stopped by a signal must still remove its files, whether its caller thought of signals or not.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	spec, err := revisionSpec(ctx, words, env)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return Spec{}, fmt.Errorf("target %s: %w", shellquote.Join(words...), err)
	}
	return spec, nil
}

func revisionSpec(ctx context.Context, words []string, env Env) (Spec, error) {
	rev, name, named := strings.Cut(strings.TrimPrefix(words[0], gitPrefix), ":")
	switch {
	case rev == "":
		return Spec{}, fmt.Errorf("no revision is named; %s", gitForm)
	case strings.HasPrefix(rev, "-"):
		return Spec{}, fmt.Errorf("%q is no revision: it begins like a flag; %s", rev, gitForm)
	case named && (name == "" || strings.Contains(name, ":")):
		return Spec{}, fmt.Errorf("%q is no core's name: what follows the second colon is; %s", name, gitForm)
	case !named:
		name = gitCore
	}
	hash, err := resolve(ctx, rev)
	if err != nil {
		return Spec{}, err
	}
	b := builder{rev: rev, hash: hash, progress: env.Progress}
	binary, err := b.binary(ctx)
	if err != nil {
		return Spec{}, err
	}
	old, err := NewEnv(ctx, binary)
	if err != nil {
		return Spec{}, fmt.Errorf("commit %s cannot be measured by this lab, which is too new for it: %w", hash[:shortHash], err)
	}
	i := slices.IndexFunc(old.Cores, func(c Core) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range old.Cores {
			names = append(names, c.Name)
		}
		return Spec{}, fmt.Errorf("commit %s has no core %q; it has %s", hash[:shortHash], name, strings.Join(names, ", "))
	}
	spec, err := parseCore(old.Cores[i], words[1:], old.Coreserver)
	if err != nil {
		return Spec{}, err
	}
	label := words[0]
	if len(label) > maxName {
		label = gitPrefix + hash[:shortHash]
		if named {
			label += ":" + name
		}
	}
	spec.Name = label + strings.TrimPrefix(spec.Name, name)
	spec.Commit = hash
	return spec, nil
}

// resolve returns the commit that rev is in the repository of the current folder.
func resolve(ctx context.Context, rev string) (hash string, err error) {
	if _, err := exec.LookPath("git"); err != nil {
		return "", fmt.Errorf("git is not installed (%w), which knows the revisions; `apt-get install git` installs it", err)
	}
	root, err := git(ctx, "rev-parse", "--show-toplevel")
	if err != nil {
		return "", fmt.Errorf("revisions are those of corelab's repository in the current folder, and git finds none (%w); change into one: `cd corelab`", err)
	}
	out, err := git(ctx, "rev-parse", "--verify", "--quiet", rev+"^{commit}")
	if hash = string(bytes.TrimSpace(out)); err != nil || !hashForm.MatchString(hash) {
		return "", fmt.Errorf("%q names no single commit of the repository in %s; `git log --oneline --all` shows what there is, `git fetch --tags` brings what is missing",
			rev, bytes.TrimSpace(root))
	}
	mod, err := git(ctx, "cat-file", "blob", hash+":go.mod")
	if err != nil || !regexp.MustCompile(`(?m)^module `+ownModule+`\s*$`).Match(mod) {
		return "", fmt.Errorf("the repository in %s is not corelab's: commit %s has no go.mod that says `module %s`; change into corelab's, or build that server and bring it as NAME=COMMAND",
			bytes.TrimSpace(root), hash[:shortHash], ownModule)
	}
	if _, err := git(ctx, "cat-file", "-e", hash+":cmd/coreserver/main.go"); err != nil {
		return "", fmt.Errorf("commit %s has no cmd/coreserver: it is older than the server; take a later one, of `git log --oneline -- cmd/coreserver`", hash[:shortHash])
	}
	return hash, nil
}

// git asks the repository of the current folder.
func git(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, gitBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if said := lastLines(stderr.Bytes(), 1); said != "" {
			err = errors.New(said)
		}
		return out, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}

// builder makes the coreserver of one commit.
type builder struct {
	rev, hash string
	progress  io.Writer
}

// binary returns the path of the commit's coreserver in the cache, where it puts it if need be. Whoever else does so at the
// same time does no harm: each builds apart, and the last one's name stays.
func (b builder) binary(ctx context.Context) (path string, err error) {
	key, err := b.key(ctx)
	if err != nil {
		return "", err
	}
	cache, err := openCache()
	if err != nil {
		return "", err
	}
	if path, found := cache.find(key); found {
		return path, nil
	}
	dir, err := cache.workDir()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "coreserver")
	if err := b.build(ctx, built); err != nil {
		return "", err
	}
	return cache.keep(key, built)
}

// key names what is built: the commit, and all of the go command's settings that change the machine code. Another Go makes
// another server of the same commit.
func (b builder) key(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("go is not installed (%w), which builds revisions; https://go.dev/doc/install says how to install it", err)
	}
	ctx, cancel := context.WithTimeout(ctx, gitBound)
	defer cancel()
	names := []string{"GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFLAGS", "CGO_ENABLED", "GOFIPS140"}
	out, err := exec.CommandContext(ctx, "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return "", fmt.Errorf("ask go for its settings: %w; `go env` must work", err)
	}
	sum := sha256.Sum256(out)
	return fmt.Sprintf("%s-%x", b.hash, sum[:6]), nil
}

// build checks the commit out into a folder of its own, builds its coreserver at path, and removes the folder.
func (b builder) build(ctx context.Context, path string) error {
	tree, err := os.MkdirTemp("", "corelab-git-")
	if err != nil {
		return fmt.Errorf("make a folder for the revision: %w", err)
	}
	defer os.RemoveAll(tree)
	ctx, cancel := context.WithTimeoutCause(ctx, buildBound, fmt.Errorf("it took longer than %v", buildBound))
	defer cancel()
	defer b.tell(time.Now())()
	if err := b.checkout(ctx, tree); err != nil {
		return fmt.Errorf("check out commit %s: %w", b.hash[:shortHash], err)
	}
	// Without -trimpath the folder's name would be in the binary, and no package of an earlier build be used again.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", path, "./cmd/coreserver")
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "GOWORK=off", "PWD="+tree)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = buildGrace
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("build commit %s: %w", b.hash[:shortHash], context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("build commit %s: %w; go says:\n%s\nIf that revision can be built elsewhere, build it there and bring it as NAME=COMMAND",
			b.hash[:shortHash], err, lastLines(out, buildLines))
	}
	return nil
}

// tell says that a build goes on once it takes long. What it returns is called at the end.
func (b builder) tell(began time.Time) (end func()) {
	if b.progress == nil {
		return func() {}
	}
	said := make(chan struct{})
	timer := time.AfterFunc(buildQuiet, func() {
		defer close(said)
		fmt.Fprintf(b.progress, "building coreserver of %s (commit %s) …\n", b.rev, b.hash[:shortHash])
	})
	return func() {
		if timer.Stop() {
			return
		}
		<-said
		fmt.Fprintf(b.progress, "… it took %.0f s, and is kept for the next time\n", time.Since(began).Seconds())
	}
}

// checkout writes the commit's files below dir. The repository is only read: a work tree of git's own would be left in its
// books if the lab were killed.
func (b builder) checkout(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir) // nothing in an archive leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	cmd := exec.CommandContext(ctx, "git", "archive", "--format=tar", b.hash)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = buildGrace
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	err = unpack(root, io.LimitReader(out, maxTree))
	io.Copy(io.Discard, out) // the padding behind an archive's end; git would wait for its reader
	if waitErr := cmd.Wait(); waitErr != nil {
		return fmt.Errorf("git archive: %w: %s", waitErr, lastLines(stderr.Bytes(), 1))
	}
	return err
}

// unpack writes the folders and plain files of a tar archive. Links are left out: no package of corelab is one.
func unpack(root *os.Root, archive io.Reader) error {
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(filepath.Clean(h.Name), 0o700)
		case tar.TypeReg:
			err = unpackFile(root, h.Name, r)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// lastLines returns the last n lines of what a program said.
func lastLines(out []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
