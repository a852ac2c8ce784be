package target

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"corelab/results"
)

// ownDir stands for the directory of a peer that is not started.
const ownDir = "{dir}"

// prepare writes what the target needs into dir, and returns its command line and configuration.
func (s Spec) prepare(port, dir string, o Options) (argv []string, config string, err error) {
	if s.Kind != KindPeer {
		if s.Kind == KindCore && o.Front != nil {
			config = gatewayConfig(o.Front, dir)
			if err := os.WriteFile(filepath.Join(dir, gatewayFile), []byte(config), 0o600); err != nil {
				return nil, "", fmt.Errorf("write the configuration of the gateway: %w", err)
			}
		}
		return s.words(port, dir, o), config, nil
	}
	path, err := s.peer.find(s.binary)
	if err != nil {
		return nil, "", err
	}
	config = s.peer.configure(path, port, dir, o)
	if s.peer.prepare != nil {
		if err := s.peer.prepare(config, dir); err != nil {
			return nil, "", err
		}
	}
	return append([]string{path}, s.peer.args(port, dir, o)...), config, nil
}

// Describe returns the target as it is recorded, with {port} and {dir} where each start has others.
func (s Spec) Describe(o Options) results.Target {
	if o.Front != nil {
		brief := *o.Front
		brief.brief = true
		o.Front = &brief
	}
	d := results.Target{Name: s.Name, Kind: s.Kind, Limit: s.Limit()}
	switch s.Kind {
	case KindPeer:
		path, _ := s.peer.find(s.binary) // without it, what is recorded is less
		d.Command = append([]string{s.peer.binary}, s.peer.args(portWord, ownDir, o)...)
		d.Config, d.Note = s.peer.configure(path, portWord, ownDir, o), s.peer.doc
	default:
		d.Command = s.words(portWord, ownDir, o)
		if s.Kind == KindCore && o.Front != nil {
			d.Config = gatewayConfig(o.Front, ownDir)
		}
	}
	d.Version = s.version()
	if s.Kind == KindCore {
		d.Note = s.Core.Doc
	}
	if s.Commit != "" {
		// Where the lab keeps what it built is nobody's concern; the commit is what it takes to build it again.
		d.Command[0] = "coreserver"
		d.Note = strings.TrimSuffix("commit "+s.Commit+"; "+d.Note, "; ")
	}
	return d
}

// Describe returns the target as it is recorded, as it was started.
func (p *Process) Describe() results.Target {
	d := p.spec.Describe(p.opts)
	d.Command, d.Config = p.argv, p.config
	return d
}

// version returns what is known of the program's version, or "".
func (s Spec) version() string {
	switch s.Kind {
	case KindPeer:
		path, err := s.peer.find(s.binary)
		if err != nil {
			return ""
		}
		return s.peer.version(path)
	case KindCore:
		built := builtVersion(s.binary)
		if _, language, _ := strings.Cut(built, ", "); s.Commit != "" {
			return "commit " + s.Commit[:shortHash] + ", " + language
		}
		return built
	}
	return builtVersion(s.Argv[0])
}

// builtVersion reads what the go command left in a program: its module's version or commit, and Go's. Programs that Go
// did not build have none.
func builtVersion(command string) string {
	path, err := exec.LookPath(command)
	if err != nil {
		return ""
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	version := filepath.Base(info.Main.Path) + " " + info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			version = filepath.Base(info.Main.Path) + " " + setting.Value
		}
	}
	return version + ", " + info.GoVersion
}
