package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// peer is a server of the field that the lab configures itself: one file, and one line of peers.
type peer struct {
	name, doc string
	binary    string // looked up in PATH, or built beside the lab
	install   string // the command that installs or builds it
	built     bool   // it is of this repository
	features  []Lack // what it cannot do, of what all peers are taken to do
	version   func(path string) string
	lacks     func(method, path string) string
	// configure returns the configuration for serving on 127.0.0.1:port with dir as its own directory. path is that of the
	// binary, or "" where it is missing.
	configure func(path, port, dir string, o Options) string
	// prepare writes the configuration and all that it names into dir; nil where there is nothing to write.
	prepare func(config, dir string) error
	// args are the arguments.
	args func(port, dir string, o Options) []string
}

// peers is every peer there is, in the order in which lists show them.
var peers = []peer{
	nginx,
	haproxy,
	h2o,
	goPeer("nethttp", "net/http", "", "net/http: a goroutine for each connection, a bare handler without ServeMux"),
	goPeer("fasthttp", "fasthttp", "github.com/valyala/fasthttp", "fasthttp: a goroutine for each connection from a pool of its own, one process"),
	goPeer("gnet", "gnet", "github.com/panjf2000/gnet/v2",
		"gnet: event loops of its own, a listener each; a transport only: a small parser of the lab reads its requests, which does less than a complete server's"),
	goPeer("nbio", "nbio", "github.com/lesismal/nbio", "nbio: event loops that parse, net/http's handlers in a pool of goroutines"),
	goPeer("hertz", "Hertz", "github.com/cloudwego/hertz", "Hertz over netpoll: event loops that wake goroutines, its own parser and router"),
	goPeer("netpoll", "netpoll", "github.com/cloudwego/netpoll",
		"netpoll: event loops that wake goroutines; a transport only: a small parser of the lab reads its requests, which does less than a complete server's"),
	limit("limit-epoll", "the limit of epoll: a small program in C that counts empty lines and answers canned bytes"),
	limit("limit-uring", "the limit of io_uring: the same with multishot accept and receive, and sends submitted with the wait"),
}

func findPeer(name string) *peer {
	for i := range peers {
		if peers[i].name == name {
			return &peers[i]
		}
	}
	return nil
}

// find returns the path of the peer's binary; the error names the command that installs it. own is the path of the one that
// was built beside the lab, or "".
func (p *peer) find(own string) (string, error) {
	name := p.binary
	if p.built {
		if own == "" {
			return "", fmt.Errorf("%s is not built: there is no %s beside this program; `%s` builds it", p.name, p.binary, p.install)
		}
		name = own
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed (%w); `%s` installs it", p.name, err, p.install)
	}
	return path, nil
}

// spareFiles are descriptors that a peer uses for itself: listeners, logs, epoll, channels, cached files.
const spareFiles = 256

// withinFiles is how many connections a peer of one process may be told to take: those that are asked for, or fewer where
// the limit on open files would cut them off.
func withinFiles(connections int) int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Max < uint64(connections+spareFiles) {
		return max(64, int(limit.Max)-spareFiles)
	}
	return connections
}

// builtBeside finds the binaries of this repository's peers next to the first of the programs that has one.
func builtBeside(programs ...string) map[string]string {
	found := map[string]string{}
	for _, p := range peers {
		for _, program := range programs {
			if !p.built || program == "" || found[p.binary] != "" {
				continue
			}
			path := filepath.Join(filepath.Dir(program), p.binary)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				found[p.binary] = path
			}
		}
	}
	return found
}
