package target

import (
	"fmt"
	"os/exec"
)

// peer is a server of the field that the lab configures itself: one file, and one line of peers.
type peer struct {
	name, doc string
	binary    string // looked up in PATH
	install   string // the command that installs it
	version   func(path string) string
	lacks     func(method, path string) string
	// configure returns the configuration for serving on 127.0.0.1:port with dir as its own directory.
	configure func(port, dir string, o Options) string
	// prepare writes the configuration and all that it names into dir, and returns the arguments.
	prepare func(config, dir string) ([]string, error)
	// args are the arguments that prepare returns.
	args func(dir string) []string
}

// peers is every peer there is, in the order in which lists show them.
var peers = []peer{
	nginx,
}

func findPeer(name string) *peer {
	for i := range peers {
		if peers[i].name == name {
			return &peers[i]
		}
	}
	return nil
}

// find returns the path of the peer's binary; the error names the command that installs it.
func (p *peer) find() (string, error) {
	path, err := exec.LookPath(p.binary)
	if err != nil {
		return "", fmt.Errorf("%s is not installed (%w); `%s` installs it", p.name, err, p.install)
	}
	return path, nil
}
