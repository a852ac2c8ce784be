package target

import (
	"os/exec"
	"strconv"
	"strings"
)

// buildLimits builds the limits from the root of the repository.
const buildLimits = "make limits"

// limitLacks is what the limits cannot do, in the words of package servers, where core raw says the same of itself.
var limitLacks = []Lack{
	{"parsing", "it looks for CRLF CRLF alone: whatever is asked, the answer is Hello, World!, and a body is taken for a request"},
	{"timeouts", "a connection that says nothing stays open"},
	{"drain", "it ends at once"},
	{"holding", "it has no handlers"},
	{"sendfile", "it has no files"},
}

// limit is a program of folder limit, in C. It parses nothing: it shows what the kernel takes of a request, which no server
// can do without. Like core raw it has a row where that is asked for, and is never ranked.
func limit(name, doc string) peer {
	args := func(port, _ string, o Options) []string {
		return []string{"--port", port, "--workers", strconv.Itoa(o.workers())}
	}
	return peer{
		name: name, doc: doc, binary: name, install: buildLimits, built: true, features: limitLacks,
		version: func(path string) string {
			out, err := exec.Command(path, "--version").Output()
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(out))
		},
		lacks: func(_, _ string) string { return "" }, // it reads no path
		configure: func(path, port, _ string, o Options) string {
			out, err := exec.Command(path, "--workers", strconv.Itoa(o.workers()), "--config").Output()
			if err != nil {
				return ""
			}
			return "listen 127.0.0.1:" + port + "\n" + string(out)
		},
		args: args,
	}
}
