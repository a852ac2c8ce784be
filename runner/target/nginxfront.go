package target

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// frontConnections is how many idle connections to its upstreams a gateway may keep.
const frontConnections = 256

// nginxFrontConfig is nginx as a gateway, at its best fair settings. lua adds what its Lua module does.
func nginxFrontConfig(port, dir string, o Options, lua string) string {
	f := o.Front
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if lua != "" {
		for _, module := range luaModules {
			p("load_module %s;", filepath.Join(modulesDir(), module))
		}
	}
	if os.Geteuid() == 0 {
		p("user root;")
	}
	p("daemon off;")
	p("worker_processes %d;", o.workers())
	p("pid nginx.pid;")
	p("error_log stderr warn;")
	p("events {")
	p("    use epoll;")
	p("    worker_connections %d;", withinFiles(nginxConnections))
	p("}")
	p("http {")
	if f.does(WorkLog) {
		p(`    log_format lab escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","path":"$uri",`)
		p(`        "status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr"}';`)
		p("    access_log %s lab buffer=64k flush=1s;", quoteNginx(filepath.Join(dir, "access.log")))
	} else {
		p("    access_log off;")
	}
	p("    server_tokens off;")
	p("    tcp_nodelay on;")
	p("    keepalive_timeout 1h;")
	p("    keepalive_requests 1000000000;")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		p("    %s_temp_path %s_temp;", kind, kind)
	}
	nginxUpstream(p, "lab", f.upstreams()...)
	for path, upstream := range f.apart() {
		nginxUpstream(p, strings.Trim(path, "/"), upstream)
	}
	if f.does(WorkLimit) && lua == "" {
		p("    limit_req_zone $binary_remote_addr zone=lab:1m rate=%dr/s;", workRate)
	}
	if f.does(WorkCache) {
		p("    proxy_cache_path %s keys_zone=lab:1m inactive=1h use_temp_path=off;", quoteNginx(filepath.Join(dir, "cache")))
	}
	if lua != "" {
		luaHTTP(p, f)
	}
	p("    server {")
	p("        listen 127.0.0.1:%s reuseport backlog=4096;", port)
	for path := range f.others() {
		p("        location %s { proxy_pass http://lab; }", path)
	}
	if n := f.more(); n > 0 {
		p("        # … and %d more like these", n)
	}
	p("        location / {")
	if f.does(WorkLimit) && lua == "" {
		p("            limit_req zone=lab burst=%d nodelay;", workRate)
	}
	if f.does(WorkCache) {
		p("            proxy_cache lab;")
		p("            proxy_cache_lock on;")
		p("            add_header X-Cache-Status $upstream_cache_status;")
	}
	if f.does(WorkTransform) {
		p("            rewrite ^%s(/.*)$ $1 break;", workPrefix)
		p("            proxy_set_header X-Lab-Route lab;")
		p("            proxy_hide_header X-Lab-Hidden;")
		p("            add_header X-Lab-Answer lab;")
	}
	if lua != "" {
		p("            access_by_lua_block { lab.access() }")
		if f.does(WorkBreaker) || f.does(WorkObserve) {
			p("            log_by_lua_block { lab.log() }")
		}
	}
	nginxPass(p, "lab")
	p("        }")
	for path := range f.apart() {
		p("        location = %s {", path)
		nginxPass(p, strings.Trim(path, "/"))
		p("        }")
	}
	p("    }")
	p("}")
	return b.String()
}

// nginxUpstream writes servers that requests are passed on to, over connections that are kept.
func nginxUpstream(p func(string, ...any), name string, servers ...string) {
	p("    upstream %s {", name)
	for _, u := range servers {
		p("        server %s;", u)
	}
	p("        keepalive %d;", frontConnections)
	p("        keepalive_requests 1000000000;")
	p("        keepalive_timeout 1h;")
	p("    }")
}

// nginxPass writes what passes a location's requests on to them.
func nginxPass(p func(string, ...any), upstream string) {
	p("            proxy_http_version 1.1;")
	p(`            proxy_set_header Connection "";`)
	p("            proxy_set_header Host $host;")
	p("            proxy_set_header X-Real-IP $remote_addr;")
	p("            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")
	p("            proxy_set_header X-Forwarded-Proto $scheme;")
	p("            proxy_pass http://%s;", upstream)
}

// nginxLua is nginx as a gateway whose work is done by its Lua module, in the style of the lua-resty libraries: FFI for the
// signature, a cache of verified tokens in each worker, shared dictionaries for what must outlive a request.
var nginxLua = peer{
	name:    "nginx-lua",
	doc:     "nginx with its Lua module as a gateway: tokens, limits, breaker and counters in Lua, in each worker; only in front of other servers",
	binary:  "nginx",
	install: "apt-get install nginx-light libnginx-mod-http-lua lua-cjson",
	version: nginx.version,
	needs: func() error {
		for _, module := range luaModules {
			if _, err := os.Stat(filepath.Join(modulesDir(), module)); err != nil {
				return fmt.Errorf("nginx's Lua module is not installed: %w", err)
			}
		}
		if luaLibraries() == "" {
			return errors.New("the library cjson of Lua is not installed")
		}
		return nil
	},
	lacks:     func(string, string) string { return onlyFront("nginx-lua") },
	lacksWork: only("nginx-lua", WorkBare, WorkNull, WorkKey, WorkJWT, WorkLimit, WorkBreaker, WorkBalance, WorkObserve, WorkLog, WorkAll, WorkKeyLimit, WorkDead),
	configure: func(_, port, dir string, o Options) string {
		if o.Front == nil {
			return ""
		}
		return nginxFrontConfig(port, dir, o, luaScript)
	},
	prepare: func(config, dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "lab.lua"), []byte(luaScript), 0o644); err != nil {
			return fmt.Errorf("write the script of nginx-lua: %w", err)
		}
		return nginx.prepare(config, dir)
	},
	args: nginx.args,
}

// onlyFront is why a peer that can only pass requests on has no part in a scenario without a server behind it.
func onlyFront(name string) string {
	return name + " stands in front of other servers only: see the scenarios gateway-…"
}

//go:embed nginxfront.lua
var luaScript string

var luaModules = []string{"ndk_http_module.so", "ngx_http_lua_module.so"}

// modulesDir is where nginx keeps its dynamic modules, as it was built.
func modulesDir() string {
	out, err := exec.Command("nginx", "-V").CombinedOutput()
	if err == nil {
		if _, rest, found := strings.Cut(string(out), "--modules-path="); found {
			dir, _, _ := strings.Cut(rest, " ")
			return strings.TrimSpace(dir)
		}
	}
	return "/usr/lib/nginx/modules"
}

// luaLibraries is the folder with Lua's libraries in C, "" where cjson is not among them. Its name has the machine's kind in it.
func luaLibraries() string {
	found, err := filepath.Glob("/usr/lib/*/lua/5.1/cjson.so")
	if err != nil || len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[0])
}

// luaHTTP writes what the script needs outside of the location.
func luaHTTP(p func(string, ...any), f *Front) {
	p("    lua_package_path '/usr/share/lua/5.1/?.lua;;';")
	p("    lua_package_cpath '%s/?.so;;';", luaLibraries())
	p("    lua_shared_dict lab_limits 4m;")
	p("    lua_shared_dict lab_state 1m;")
	p("    init_by_lua_block {")
	p(`        lab = assert(loadfile(ngx.config.prefix() .. "/lab.lua"))()`)
	p("        lab.setup {")
	p("            key = %v and %q,", f.does(WorkKey), workKey)
	p("            secret = %v and %q,", f.does(WorkJWT), workSecret)
	p("            rate = %v and %d,", f.does(WorkLimit), workRate)
	p("            breaker = %v,", f.does(WorkBreaker))
	p("            observe = %v,", f.does(WorkObserve))
	p("        }")
	p("    }")
}
