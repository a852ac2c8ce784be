package target

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Kinds of targets.
const (
	KindCore    = "core"
	KindPeer    = "peer"
	KindForeign = "foreign"
)

// Words of a COMMAND that are replaced when the server is started.
const (
	portWord    = "{port}"
	workersWord = "{workers}"
)

// Core is what coreserver says about one of its cores.
type Core struct {
	Name  string `json:"name"`
	Doc   string `json:"doc"`
	Lacks []Lack `json:"lacks"`
}

// Lack is something that a core cannot do, and why. Feature is one of those of package servers: "keep-alive",
// "pipelining", "parsing", …
type Lack struct {
	Feature string `json:"feature"`
	Reason  string `json:"reason"`
}

// Env is what targets are made of on this machine. It does not change once made. That of [NewEnv] speaks on standard error.
type Env struct {
	Coreserver string            // path of the binary
	Cores      []Core            // what it lists, in its order
	Built      map[string]string // paths of the peers' binaries that are of this repository, by name; those that are not there are not
	Progress   io.Writer         // is told what takes long, such as the build of a revision; nil: nothing is said
}

// Spec is a parsed TARGET. The zero value is not useful; see [Parse].
type Spec struct {
	Name   string   // the row's label: "reactor", "reactor --threads 8", "nginx", "git:HEAD~3", or the NAME of NAME=COMMAND
	Kind   string   // KindCore, KindPeer or KindForeign
	Core   Core     // of KindCore
	Flags  []string // of KindCore: passed on to coreserver
	Commit string   // of KindCore: the commit whose coreserver it is, of git:REV; empty where it is Env's
	Argv   []string // of KindForeign: the words of COMMAND, {port} and {workers} not yet replaced
	binary string   // of KindCore: coreserver; of KindPeer: the one that was built, or ""
	peer   *peer    // of KindPeer
}

// Lacks returns why the target cannot serve the route, or "". The path is a concrete one and may have a query. A foreign
// server is taken to serve everything: whoever brings it says what to ask.
func (s Spec) Lacks(method, path string) string {
	if s.Kind != KindPeer {
		return ""
	}
	path, _, _ = strings.Cut(path, "?")
	return s.peer.lacks(method, path)
}

// LacksFeature returns why the target cannot do the feature, or "": servers of others are taken to do all.
func (s Spec) LacksFeature(feature string) string {
	lacks := s.Core.Lacks
	if s.Kind == KindPeer {
		lacks = s.peer.features
	}
	for _, l := range lacks {
		if l.Feature == feature {
			return l.Reason
		}
	}
	return ""
}

// Limit says that the target does less than the others, such as a core that does not parse, and is never ranked.
func (s Spec) Limit() bool { return s.LacksFeature("parsing") != "" }

// words returns the command of a core or a foreign server.
func (s Spec) words(port string, o Options) []string {
	workers := fmt.Sprint(o.workers())
	if s.Kind == KindForeign {
		argv := slices.Clone(s.Argv)
		replace := strings.NewReplacer(portWord, port, workersWord, workers)
		for i := range argv {
			argv[i] = replace.Replace(argv[i])
		}
		return argv
	}
	argv := []string{s.binary, "--core", s.Core.Name, "--addr", "127.0.0.1:" + port, "--workers", workers}
	if o.StaticDir != "" {
		argv = append(argv, "--static", o.StaticDir)
	}
	if o.Stats {
		argv = append(argv, "--stats-fd", "3")
	}
	return append(argv, s.Flags...)
}
