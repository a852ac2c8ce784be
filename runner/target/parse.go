package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	shellquote "github.com/kballard/go-shellquote"
)

// maxName is the longest NAME of NAME=COMMAND: it is a column of every table.
const maxName = 32

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ownFlags are those that the lab sets on coreserver itself.
var ownFlags = []string{"core", "addr", "workers", "static", "stats-fd", "list", "json", "version", "help", "h"}

// Known is a name that [Parse] takes, for a list.
type Known struct {
	Name, Kind, Doc string
	Missing         string // why it cannot run here, with what would install it; empty when it can
}

// NewEnv asks the coreserver binary for its cores, and finds the peers' binaries beside it or beside this program. An empty path
// gives an Env without cores, for peers and foreign servers alone.
func NewEnv(ctx context.Context, coreserver string) (Env, error) {
	env := Env{Coreserver: coreserver, Progress: os.Stderr}
	self, _ := os.Executable() // without it there is one place less to look
	if coreserver == "" {
		env.Built = builtBeside(self)
		return env, nil
	}
	path, err := exec.LookPath(coreserver)
	env.Built = builtBeside(path, self)
	if err != nil {
		return env, fmt.Errorf("find coreserver: %w; build it with `go build -o bin/coreserver ./cmd/coreserver`", err)
	}
	env.Coreserver = path
	cmd := exec.CommandContext(ctx, path, "--list", "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return env, fmt.Errorf("list the cores of %s: %w: %s", path, err, strings.TrimSpace(stderr.String()))
	}
	if env.Cores, err = parseList(out); err != nil {
		return env, fmt.Errorf("list the cores of %s: %w; it and the lab must be of the same version", path, err)
	}
	return env, nil
}

// parseList reads what `coreserver --list --json` prints.
func parseList(out []byte) ([]Core, error) {
	var listed struct {
		Cores []Core `json:"cores"`
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(listed.Cores, func(c Core) bool { return c.Name == "" }) || len(listed.Cores) == 0 {
		return nil, errors.New("the list has no cores, or one without a name")
	}
	return listed.Cores, nil
}

// List returns the names of cores and peers, in the order of their tables.
func (e Env) List() []Known {
	var list []Known
	for _, c := range e.Cores {
		list = append(list, Known{Name: c.Name, Kind: KindCore, Doc: c.Doc})
	}
	for i := range peers {
		k := Known{Name: peers[i].name, Kind: KindPeer, Doc: peers[i].doc}
		if _, err := peers[i].find(e.Built[peers[i].binary]); err != nil {
			k.Missing = err.Error()
		}
		list = append(list, k)
	}
	return list
}

// Parse is [ParseContext] without a context.
func Parse(s string, env Env) (Spec, error) { return ParseContext(context.Background(), s, env) }

// ParseContext reads a TARGET := CORE [flags] | PEER | NAME=COMMAND | git:REV[:CORE [flags]]. COMMAND and flags are split by
// the quoting rules of the shell, but no shell is run. A revision of the repository in the current folder is built where it
// was not before, which takes seconds and ends with ctx. Errors are for users: they say what is wrong and how it is written.
func ParseContext(ctx context.Context, s string, env Env) (Spec, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, gitPrefix) {
		words, err := shellquote.Split(s)
		if err != nil {
			return Spec{}, fmt.Errorf("target %q: %w; quote it as in a shell", s, err)
		}
		return parseGit(ctx, words, env)
	}
	name, command, foreign := strings.Cut(s, "=")
	if foreign && !strings.ContainsAny(name, " \t\n'\"") {
		return parseForeign(name, command, env)
	}
	words, err := shellquote.Split(s)
	if err != nil {
		return Spec{}, fmt.Errorf("target %q: %w; quote it as in a shell", s, err)
	}
	if len(words) == 0 {
		return Spec{}, fmt.Errorf("target is empty; %s", env.grammar())
	}
	if i := slices.IndexFunc(env.Cores, func(c Core) bool { return c.Name == words[0] }); i >= 0 {
		return parseCore(env.Cores[i], words[1:], env.Coreserver)
	}
	if p := findPeer(words[0]); p != nil {
		if len(words) > 1 {
			return Spec{}, fmt.Errorf("target %q: %s takes no flags, its configuration is the lab's; "+
				"for another one use NAME=COMMAND: mynginx='nginx -c /path/to.conf' with {port} in it", s, p.name)
		}
		return Spec{Name: p.name, Kind: KindPeer, peer: p, binary: env.Built[p.binary]}, nil
	}
	return Spec{}, fmt.Errorf("target %q: %q is neither a core nor a peer; %s", s, words[0], env.grammar())
}

// grammar says what may be written.
func (e Env) grammar() string {
	var names []string
	for _, k := range e.List() {
		names = append(names, k.Name)
	}
	return fmt.Sprintf("it is one of %s, a core with flags (`pool --threads 16`), a core of another revision (`git:HEAD~3`), or your own server: `mine=./server --port {port}`",
		strings.Join(names, ", "))
}

func parseCore(c Core, flags []string, binary string) (Spec, error) {
	for _, f := range flags {
		name, _, _ := strings.Cut(f, "=")
		if strings.HasPrefix(name, "-") && slices.Contains(ownFlags, strings.TrimLeft(name, "-")) {
			return Spec{}, fmt.Errorf("target %s: %s is the lab's to set; leave it out", c.Name, name)
		}
	}
	if len(flags) > 0 && !strings.HasPrefix(flags[0], "-") {
		return Spec{}, fmt.Errorf("target %s: %q is no flag; flags follow the core's name: `%s --limit-pipelined 16`", c.Name, flags[0], c.Name)
	}
	s := Spec{Name: c.Name, Kind: KindCore, Core: c, Flags: flags, binary: binary}
	if len(flags) > 0 {
		s.Name += " " + shellquote.Join(flags...)
	}
	return s, nil
}

func parseForeign(name, command string, env Env) (Spec, error) {
	const example = "as in `mine=./server --port {port} --threads {workers}`"
	fail := func(format string, args ...any) (Spec, error) {
		return Spec{}, fmt.Errorf("target %s=…: %s, %s", name, fmt.Sprintf(format, args...), example)
	}
	if !nameForm.MatchString(name) || len(name) > maxName {
		return fail("the name is not made of at most %d letters, digits, '-', '_' and '.', the first a letter or digit", maxName)
	}
	if slices.ContainsFunc(env.List(), func(k Known) bool { return k.Name == name }) {
		return fail("the name %q is taken by a core or peer of the lab; choose another", name)
	}
	words, err := shellquote.Split(command)
	if err != nil {
		return fail("the command is not quoted rightly: %v", err)
	}
	if len(words) == 0 {
		return fail("there is no command")
	}
	if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, portWord) }) {
		return fail("the command does not say where the port goes: it must contain {port}")
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return fail("the command cannot be run (%v)", err)
	}
	return Spec{Name: name, Kind: KindForeign, Argv: words}, nil
}
