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
	// nginxConnections is asked for each worker: the idle scenario's ten thousand, with room.
	nginxConnections = 16384
	// inlineBytes is the longest body that the configuration holds itself. A word of it must stay below 4 KiB.
	inlineBytes = 1024
)

// nginx serves the routes of the app lab that need no program, with the same bytes.
var nginx = peer{
	name:    "nginx",
	doc:     "nginx with as many workers, reuseport, no access log; constant routes from its configuration, the rest from files",
	binary:  "nginx",
	install: "apt-get install nginx-light",
	version: func(path string) string {
		out, err := exec.Command(path, "-v").CombinedOutput() // it prints on standard error
		if err != nil {
			return ""
		}
		return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(out)), "nginx version:"))
	},
	lacks:     nginxLacks,
	lacksWork: only("nginx", WorkBare, WorkLimit, WorkCache, WorkBalance, WorkLog, WorkTransform, WorkDead, WorkApart, WorkStalled, workRoutes+"10", workRoutes+"1000"),
	configure: func(_, port, dir string, o Options) string {
		if o.Front != nil {
			return nginxFrontConfig(port, dir, o, "")
		}
		return nginxConfig(port, dir, o)
	},
	prepare: func(config, dir string) error {
		if err := WritePattern(filepath.Join(dir, "www", "bytes"), PeerBytes); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o644); err != nil {
			return fmt.Errorf("write the configuration of nginx: %w", err)
		}
		return nil
	},
	args: func(_, dir string, _ Options) []string {
		// Until -c is read nginx logs to the path compiled into it, which may not be writable: -e, since 1.19.5.
		return []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")}
	},
}

func nginxLacks(method, path string) string {
	if method != "" && method != "GET" && method != "HEAD" {
		return "nginx serves no " + method + " without a program behind it"
	}
	if n, found := strings.CutPrefix(path, "/bytes/"); found {
		size, err := strconv.Atoi(n)
		if err != nil || !slices.Contains(PeerBytes, size) {
			return "nginx serves /bytes/N from files, for powers of two from 1 KiB to 1 MiB"
		}
		return ""
	}
	for _, prefix := range []string{"/users/", "/static/"} {
		if rest, found := strings.CutPrefix(path, prefix); found && rest != "" {
			return ""
		}
	}
	switch path {
	case "/", "/plaintext", "/json", "/status/204", "/status/304", "/health", "/pipeline":
		return ""
	}
	return "nginx does not serve " + path + " without a program behind it"
}

// nginxConfig is nginx at its best fair settings. "user root" where it is root, so that it may read what the lab may.
func nginxConfig(port, dir string, o Options) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if os.Geteuid() == 0 {
		p("user root;")
	}
	connections := withinFiles(nginxConnections)
	if connections == nginxConnections {
		p("worker_rlimit_nofile %d;", connections+spareFiles)
	}
	p("daemon off;")
	p("worker_processes %d;", o.workers())
	p("pid nginx.pid;")
	p("error_log stderr warn;")
	p("events {")
	p("    use epoll;")
	p("    worker_connections %d;", connections)
	p("}")
	p("http {")
	p("    access_log off;")
	p("    server_tokens off;")
	p("    sendfile on;")
	p("    tcp_nopush on;")
	p("    tcp_nodelay on;")
	p("    keepalive_timeout 1h;")
	p("    keepalive_requests 1000000000;")
	p("    open_file_cache max=1000 inactive=1h;")
	p("    open_file_cache_valid 60s;")
	p("    client_max_body_size 16m;")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		p("    %s_temp_path %s_temp;", kind, kind)
	}
	p("    server {")
	p("        listen 127.0.0.1:%s reuseport backlog=4096;", port)
	p("        root %s;", quoteNginx(filepath.Join(dir, "www")))
	nginxRoutes(p, o)
	p("    }")
	p("}")
	return b.String()
}

// nginxRoutes writes the locations. All but /users/ are exact or final prefixes, so that no expression is tried for them.
func nginxRoutes(p func(string, ...any), o Options) {
	constant := func(path, mediaType, body string) {
		p("        location = %s { default_type %q; return 200 '%s'; }", path, mediaType, body)
	}
	constant("/", textType, "Hello, World!")
	constant("/plaintext", textType, "Hello, World!")
	constant("/json", "application/json", `{"message":"Hello, World!"}`)
	constant("/health", textType, "ok")
	constant("/pipeline", "text/plain", "ok")
	for _, n := range PeerBytes {
		if n <= inlineBytes {
			constant("/bytes/"+strconv.Itoa(n), octetsType, string(Pattern(n)))
		}
	}
	p("        location = /status/204 { return 204; }")
	p("        location = /status/304 { default_type ''; return 304; }")
	p("        location ~ ^/users/([^/]+)$ { default_type %q; return 200 $1; }", textType)
	// A computed body has neither validators nor ranges: the files that stand for it show none.
	p("        location ^~ /bytes/ {")
	p("            types { }")
	p("            default_type %s;", octetsType)
	p("            etag off;")
	p("            if_modified_since off;")
	p("            max_ranges 0;")
	p("            add_header Last-Modified '';")
	p("        }")
	if o.StaticDir != "" {
		p("        location ^~ /static/ {")
		p("            alias %s;", quoteNginx(strings.TrimSuffix(o.StaticDir, "/")+"/"))
		p("            default_type %s;", octetsType)
		p("            types {")
		for _, t := range mediaTypes {
			p("                %q %s;", t.mediaType, t.extensions)
		}
		p("            }")
		p("        }")
	}
	p("        location / { return 404; }")
}

// quoteNginx writes a path as one word of the configuration, in which '$' would begin a variable: such a path is refused
// by Start.
func quoteNginx(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

const (
	textType   = "text/plain; charset=utf-8"
	octetsType = "application/octet-stream"
)

// mediaTypes are those of the app's /static/.
var mediaTypes = []struct{ mediaType, extensions string }{
	{"text/css; charset=utf-8", "css"},
	{"text/csv; charset=utf-8", "csv"},
	{"image/gif", "gif"},
	{"text/html; charset=utf-8", "htm html"},
	{"image/x-icon", "ico"},
	{"image/jpeg", "jpeg jpg"},
	{"text/javascript; charset=utf-8", "js mjs"},
	{"application/json", "json"},
	{"text/markdown; charset=utf-8", "md"},
	{"video/mp4", "mp4"},
	{"application/pdf", "pdf"},
	{"image/png", "png"},
	{"image/svg+xml", "svg"},
	{textType, "txt"},
	{"application/wasm", "wasm"},
	{"video/webm", "webm"},
	{"image/webp", "webp"},
	{"font/woff", "woff"},
	{"font/woff2", "woff2"},
	{"application/xml", "xml"},
}
