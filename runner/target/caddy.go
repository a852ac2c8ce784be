package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// caddy stands in front of other servers. Of a gateway's work it does what its own modules can: those for tokens, limits and
// caches are no part of it.
var caddy = peer{
	name:      "caddy",
	doc:       "Caddy as a gateway over net/http, with the modules that it comes with; only in front of other servers",
	binary:    "caddy",
	install:   "apt-get install caddy",
	lacks:     func(string, string) string { return onlyFront("caddy") },
	lacksWork: only("caddy", WorkBare, WorkKey, WorkBreaker, WorkBalance, WorkObserve, WorkLog, WorkTransform, WorkDead),
	version: func(path string) string {
		out, err := exec.Command(path, "version").Output()
		if err != nil {
			return ""
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		return "Caddy " + first
	},
	configure: func(_, port, dir string, o Options) string {
		if o.Front == nil {
			return ""
		}
		return caddyConfig(port, dir, o.Front)
	},
	prepare: func(config, dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o644); err != nil {
			return fmt.Errorf("write the configuration of caddy: %w", err)
		}
		return nil
	},
	args: func(_, dir string, _ Options) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "Caddyfile")}
	},
	env: func(dir string, o Options) []string {
		// It keeps certificates and its last configuration in the user's folders otherwise.
		return []string{"XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir, fmt.Sprintf("GOMAXPROCS=%d", o.workers())}
	},
}

// caddyConfig is Caddy as a gateway, at its best fair settings.
func caddyConfig(port, dir string, f *Front) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("{")
	p("    admin off")
	p("    auto_https off")
	if f.does(WorkObserve) {
		p("    servers {")
		p("        metrics")
		p("    }")
	}
	p("    log {")
	p("        output stderr")
	p("        level WARN")
	p("    }")
	p("}")
	p("http://127.0.0.1:%s {", port)
	p("    bind 127.0.0.1")
	if f.does(WorkLog) {
		p("    log {")
		p("        output file %s", quoteCaddy(filepath.Join(dir, "access.log")))
		p("        format json")
		p("    }")
	}
	if f.does(WorkKey) {
		p("    @unknown not header X-API-Key %s", workKey)
		p("    respond @unknown 401")
	}
	if f.does(WorkTransform) {
		p("    uri strip_prefix %s", workPrefix)
		p("    header X-Lab-Answer lab")
		p("    header -X-Lab-Hidden")
	}
	p("    reverse_proxy %s {", strings.Join(f.upstreams(), " "))
	p("        lb_policy round_robin")
	if f.Work == WorkDead {
		p("        fail_duration 10s")
		p("        lb_try_duration 1s")
	}
	if f.does(WorkBreaker) {
		p("        fail_duration 10s")
		p("        max_fails 5")
		p("        unhealthy_status 5xx")
	}
	p("        header_up X-Real-IP {remote_host}")
	if f.does(WorkTransform) {
		p("        header_up X-Lab-Route lab")
	}
	p("        transport http {")
	p("            keepalive 1h")
	p("            keepalive_idle_conns %d", frontConnections)
	p("            keepalive_idle_conns_per_host %d", frontConnections)
	p("            compression off")
	p("        }")
	p("    }")
	p("}")
	return b.String()
}

// quoteCaddy writes a path as one word of a Caddyfile.
func quoteCaddy(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}
