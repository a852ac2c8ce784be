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

// h2oConnections is asked for: the idle scenario's ten thousand, with room.
const h2oConnections = 16384

// h2o serves constant routes from files, each with its own media type, with the same bytes.
var h2o = peer{
	name:    "h2o",
	doc:     "h2o with as many threads, no log; every answer is a file, of which it keeps the open descriptor; one listener for all threads and a backlog that cannot be set",
	binary:  "h2o",
	install: "apt-get install h2o",
	version: func(path string) string {
		out, err := exec.Command(path, "-v").Output()
		words := strings.Fields(string(out)) // h2o version 2.2.5
		if err != nil || len(words) < 3 {
			return ""
		}
		return "h2o " + words[2]
	},
	lacks:     h2oLacks,
	configure: func(_, port, dir string, o Options) string { return h2oConfig(port, dir, o) },
	prepare: func(config, dir string) error {
		if err := WritePattern(filepath.Join(dir, "www", "bytes"), PeerBytes); err != nil {
			return err
		}
		for _, f := range h2oFiles {
			if err := os.WriteFile(filepath.Join(dir, "www", f.name), []byte(f.body), 0o644); err != nil {
				return fmt.Errorf("write the answer of h2o's %s: %w", f.path, err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "h2o.conf"), []byte(config), 0o644); err != nil {
			return fmt.Errorf("write the configuration of h2o: %w", err)
		}
		return nil
	},
	args: func(_, dir string, _ Options) []string { return []string{"-c", filepath.Join(dir, "h2o.conf")} },
}

// h2oFiles are the constant routes. The name of each file has no suffix, so that its media type is the default one.
var h2oFiles = []struct{ path, name, mediaType, body string }{
	{"/plaintext", "plaintext", textType, "Hello, World!"},
	{"/json", "json", "application/json", `{"message":"Hello, World!"}`},
	{"/health", "health", textType, "ok"},
	{"/pipeline", "pipeline", "text/plain", "ok"},
}

func h2oLacks(method, path string) string {
	if method != "" && method != "GET" && method != "HEAD" {
		return "h2o serves no " + method + " without a program behind it"
	}
	if n, found := strings.CutPrefix(path, "/bytes/"); found {
		size, err := strconv.Atoi(n)
		if err != nil || !slices.Contains(PeerBytes, size) {
			return "h2o serves /bytes/N from files, for powers of two from 1 KiB to 1 MiB"
		}
		return ""
	}
	for _, f := range h2oFiles {
		if f.path == path {
			return ""
		}
	}
	if strings.HasPrefix(path, "/delay/") {
		return "h2o has no way to wait before an answer of its own"
	}
	return "h2o does not serve " + path + " without a program behind it"
}

// h2oConfig is h2o at its best fair settings. "user: root" where it is root, so that it may read what the lab may.
func h2oConfig(port, dir string, o Options) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if os.Geteuid() == 0 {
		p("user: root")
	}
	p("num-threads: %d", o.workers())
	p("max-connections: %d", withinFiles(h2oConnections))
	p("http1-request-timeout: 3600 # also how long an idle connection is kept")
	p("server-name: h2o")
	p("error-log: /dev/null")
	p("crash-handler: \"true\" # its own is a process of Perl that would wait beside it")
	p("file.etag: OFF")
	// A constant has neither a date nor ranges: the files that stand for it show none.
	p("header.unset: last-modified")
	p("header.unset: accept-ranges")
	p("hosts:")
	p("  default:")
	p("    listen:")
	p("      host: 127.0.0.1")
	p("      port: %s", port)
	p("    paths:")
	for _, f := range h2oFiles {
		p("      %s:", f.path)
		p("        file.file: %s", quoteYAML(filepath.Join(dir, "www", f.name)))
		p("        file.mime.setdefaulttype: %q", f.mediaType)
	}
	p("      /bytes/:")
	p("        file.dir: %s", quoteYAML(filepath.Join(dir, "www", "bytes")))
	p("        file.mime.setdefaulttype: %q", octetsType)
	return b.String()
}

// quoteYAML writes a path as a single-quoted scalar.
func quoteYAML(path string) string { return "'" + strings.ReplaceAll(path, "'", "''") + "'" }
