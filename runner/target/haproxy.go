package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	// haproxyConnections is asked for all threads together: the idle scenario's ten thousand, with room.
	haproxyConnections = 16384
	// haproxyBody is the longest body of /bytes that the configuration holds: an answer that haproxy makes itself must fit
	// into one of its buffers, which are of 16 KiB, beside its head.
	haproxyBody = 8 << 10
)

// haproxy answers by itself the routes that its configuration can hold, with the same bytes.
var haproxy = peer{
	name:    "haproxy",
	doc:     "haproxy with as many threads, a listener each, no log; answers by \"http-request return\", with Date computed for each",
	binary:  "haproxy",
	install: "apt-get install haproxy",
	version: func(path string) string {
		out, err := exec.Command(path, "-v").Output()
		first, _, _ := strings.Cut(string(out), "\n")
		words := strings.Fields(first) // HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/
		if err != nil || len(words) < 3 {
			return ""
		}
		return "haproxy " + words[2]
	},
	lacks:     haproxyLacks,
	lacksWork: only("haproxy", WorkBare, WorkKey, WorkJWT, WorkLimit, WorkBreaker, WorkCache, WorkBalance, WorkObserve, WorkLog, WorkTransform, WorkAll, WorkKeyLimit, WorkDead, WorkApart, WorkStalled),
	configure: func(_, port, dir string, o Options) string {
		if o.Front != nil {
			return haproxyFrontConfig(port, o)
		}
		return haproxyConfig(port, dir, o)
	},
	prepare: func(config, dir string) error {
		if err := WritePattern(filepath.Join(dir, "bytes"), haproxyBytes()); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "haproxy.cfg"), []byte(config), 0o644); err != nil {
			return fmt.Errorf("write the configuration of haproxy: %w", err)
		}
		return nil
	},
	args: func(_, dir string, o Options) []string {
		args := []string{"-db", "-f", filepath.Join(dir, "haproxy.cfg")}
		if o.Front == nil {
			args = append([]string{"-q"}, args...) // which also closes the standard output, where a gateway logs
		}
		return args
	},
}

func haproxyLacks(method, path string) string {
	if method != "" && method != "GET" && method != "HEAD" {
		return "haproxy serves no " + method + " without a server behind it"
	}
	if n, found := strings.CutPrefix(path, "/bytes/"); found {
		size, err := strconv.Atoi(n)
		if err != nil || !slices.Contains(haproxyBytes(), size) {
			return "haproxy's own answers must fit into a buffer of 16 KiB: it serves /bytes/N for powers of two from 1 KiB to 8 KiB"
		}
		return ""
	}
	if id, found := strings.CutPrefix(path, "/users/"); found && id != "" {
		return ""
	}
	switch path {
	case "/", "/plaintext", "/json", "/status/204", "/health", "/pipeline":
		return ""
	}
	if strings.HasPrefix(path, "/delay/") {
		return "haproxy has no way to wait before an answer of its own"
	}
	return "haproxy does not serve " + path + " without a server behind it"
}

// haproxyConfig is haproxy at its best fair settings.
func haproxyConfig(port, dir string, o Options) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("global")
	p("    nbthread %d", o.workers())
	p("    maxconn %d", withinFiles(haproxyConnections))
	p("    # it reckons with two descriptors a connection; here is no server behind it")
	p("    no strict-limits")
	p("defaults")
	p("    mode http")
	p("    timeout client 1h")
	p("    timeout http-keep-alive 1h")
	p("frontend lab")
	p("    bind 127.0.0.1:%s backlog 4096 shards by-thread", port)
	haproxyRoutes(p, dir)
	return b.String()
}

// haproxyRoutes writes an answer for each route, the ones that scenarios ask most first: rules are tried in order.
func haproxyRoutes(p func(string, ...any), dir string) {
	// haproxy keeps no formatted date; RFC 9110 §6.6.1 wants one of a server that has a clock. It drops a Connection that
	// says what HTTP/1.1 does anyway; Server makes up for its bytes.
	const fields = `hdr server "haproxy in corelab" hdr date "%[date,http_date]"`
	constant := func(path, mediaType, body string) {
		p(`    http-request return status 200 content-type "%s" %s %s if { path %s }`, mediaType, body, fields, path)
	}
	constant("/plaintext", textType, `string "Hello, World!"`)
	constant("/json", "application/json", `string '{"message":"Hello, World!"}'`)
	constant("/", textType, `string "Hello, World!"`)
	constant("/health", textType, `string ok`)
	constant("/pipeline", "text/plain", `string ok`)
	for _, n := range haproxyBytes() { // read once, when it starts
		constant("/bytes/"+strconv.Itoa(n), octetsType, "file "+quoteHaproxy(filepath.Join(dir, "bytes", strconv.Itoa(n))))
	}
	p(`    http-request return status 204 %s if { path /status/204 }`, fields)
	p(`    http-request return status 200 content-type "%s" lf-string "%%[path,field(3,/)]" %s if { path_reg ^/users/[^/]+$ }`, textType, fields)
	p(`    http-request return status 404 %s`, fields)
}

// haproxyBytes are the sizes of /bytes/N that haproxy serves.
func haproxyBytes() []int {
	return slices.DeleteFunc(slices.Clone(PeerBytes), func(n int) bool { return n > haproxyBody })
}

// quoteHaproxy writes a path as one word, in which nothing is expanded.
func quoteHaproxy(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
