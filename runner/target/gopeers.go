package target

import (
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// peerserver is the binary of all peers that are written in Go. It is a module of its own, in folder peers, so that the
// lab does not have their dependencies.
const peerserver = "peerserver"

// buildPeerserver builds it from the root of the repository.
const buildPeerserver = "go build -C runner/target/peers -o ../../../bin/ ./cmd/peerserver"

// maxPeerBytes and maxPeerDelay bound /bytes/N and /delay/N of peerserver.
const (
	maxPeerBytes = 1 << 20
	maxPeerDelay = 60_000 // ms
)

// goPeer is a peer that peerserver plays. library is the module whose version is told, "" for the standard library's.
func goPeer(name, title, library, doc string) peer {
	args := func(port, _ string, o Options) []string {
		return []string{"--peer", name, "--addr", "127.0.0.1:" + port, "--workers", strconv.Itoa(o.workers())}
	}
	return peer{
		name: name, doc: doc, binary: peerserver, install: buildPeerserver, built: true,
		version: func(path string) string { return libraryVersion(path, title, library) },
		lacks:   goPeerLacks,
		configure: func(path, port, dir string, o Options) string {
			out, err := exec.Command(path, append(args(port, dir, o), "--config")...).Output()
			if err != nil {
				return ""
			}
			return string(out)
		},
		args: args,
	}
}

// goPeerLacks is what package routes of the module peers leaves out.
func goPeerLacks(method, path string) string {
	if method == "POST" && path == "/echo" {
		return ""
	}
	if method != "" && method != "GET" && method != "HEAD" {
		return "peerserver serves no " + method + " but /echo"
	}
	for prefix, most := range map[string]int{"/bytes/": maxPeerBytes, "/delay/": maxPeerDelay} {
		if n, found := strings.CutPrefix(path, prefix); found {
			if value, err := strconv.ParseUint(n, 10, 32); err != nil || value > uint64(most) {
				return fmt.Sprintf("peerserver serves %sN up to %d", prefix, most)
			}
			return ""
		}
	}
	if id, found := strings.CutPrefix(path, "/users/"); found && id != "" {
		return ""
	}
	switch path {
	case "/", "/plaintext", "/json", "/status/204", "/status/304", "/health", "/pipeline":
		return ""
	}
	return "peerserver does not serve " + path + ": its peers have the routes that need nothing but the request"
}

// libraryVersion reads from a program of Go which version of a library it was built with.
func libraryVersion(path, title, library string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	if library == "" {
		return title + " of " + info.GoVersion
	}
	for _, m := range info.Deps {
		if m.Path == library {
			return title + " " + m.Version + ", " + info.GoVersion
		}
	}
	return ""
}
