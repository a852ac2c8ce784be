package target

import (
	"fmt"
	"strings"
)

// haproxyFrontConfig is haproxy as a gateway, at its best fair settings.
func haproxyFrontConfig(port string, o Options) string {
	f := o.Front
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("global")
	p("    nbthread %d", o.workers())
	p("    maxconn %d", withinFiles(haproxyConnections)/2)
	if f.does(WorkLog) {
		p("    log stdout format raw local0 info")
	}
	p("defaults")
	p("    mode http")
	p("    timeout connect 5s")
	p("    timeout client 1h")
	p("    timeout server 1h")
	p("    timeout http-keep-alive 1h")
	if f.does(WorkCache) {
		p("cache lab")
		p("    total-max-size 16")
		p("    max-age 3600")
	}
	p("frontend lab")
	p("    bind 127.0.0.1:%s backlog 4096 shards by-thread", port)
	if f.does(WorkLog) {
		p("    log global")
		p(`    log-format '{"time":"%%tr","client":"%%ci","method":"%%HM","path":"%%HP","status":%%ST,"bytes":%%B,"milliseconds":%%Ta,"upstream":"%%si:%%sp"}'`)
	}
	if f.does(WorkKey) {
		p("    http-request deny deny_status 401 unless { req.hdr(x-api-key) -m str %s }", workKey)
	}
	if f.does(WorkJWT) {
		p("    http-request set-var(txn.token) http_auth_bearer")
		p("    http-request deny deny_status 401 unless { var(txn.token),jwt_header_query('$.alg') -m str HS256 }")
		p("    http-request deny deny_status 401 unless { var(txn.token),jwt_verify(HS256,%q) -m int 1 }", workSecret)
		p("    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')")
		p("    http-request set-var(txn.now) date()")
		p("    http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }")
	}
	if f.does(WorkLimit) {
		p("    stick-table type ip size 10k expire 10s store http_req_rate(1s)")
		p("    http-request track-sc0 src")
		p("    http-request deny deny_status 429 if { sc_http_req_rate(0) gt %d }", workRate)
	}
	if f.does(WorkTransform) {
		p("    http-request replace-path ^%s(/.*)$ \\1", workPrefix)
		p("    http-request set-header X-Lab-Route lab")
		p("    http-response del-header X-Lab-Hidden")
		p("    http-response set-header X-Lab-Answer lab")
	}
	p("    http-request set-header X-Real-IP %%[src]")
	p("    http-request set-header X-Forwarded-Proto http")
	p("    option forwardfor")
	for path := range f.apart() {
		p("    use_backend %s if { path %s }", strings.Trim(path, "/"), path)
	}
	p("    default_backend lab")
	for path, upstream := range f.apart() {
		p("backend %s", strings.Trim(path, "/"))
		p("    http-reuse always")
		p("    server u0 %s pool-max-conn %d", upstream, frontConnections)
	}
	p("backend lab")
	p("    http-reuse always")
	if f.does(WorkCache) {
		p("    http-request cache-use lab")
		p("    http-response cache-store lab")
	}
	p("    balance roundrobin")
	check := ""
	if f.Work == WorkDead {
		p("    option redispatch 1")
		check = " check inter 2s"
	}
	if f.does(WorkBreaker) {
		check = " observe layer7 error-limit 5 on-error mark-down check inter 10s"
	}
	for i, u := range f.upstreams() {
		p("    server u%d %s pool-max-conn %d%s", i, u, frontConnections, check)
	}
	return b.String()
}
