package target

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
)

// gatewayFile is the configuration of our own gateway, in the directory of its process.
const gatewayFile = "gateway.toml"

// gatewayConfig is our own gateway, with the stages that the work takes; dir is for what it writes.
func gatewayConfig(f *Front, dir string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if f.does(WorkObserve) || f.does(WorkLog) {
		p("[observe]")
		p("metrics = %v", f.does(WorkObserve))
		if f.does(WorkLog) {
			p("[observe.log]")
			p("file = %q", filepath.Join(dir, "access.log"))
		}
	}
	if f.does(WorkKey) {
		p("[consumers.%s]", workSubject)
		p(`keys = [{ digest = "sha256:%x" }]`, sha256.Sum256([]byte(workKey)))
	}
	if f.does(WorkJWT) {
		p("[consumers.%s]", workSubject)
		p("[auth.jwt]")
		p(`issuer = "corelab"`)
		p("[[auth.jwt.keys]]")
		p("secret = { value = %q }", workSecret)
	}
	p("[upstreams.lab]")
	p("endpoints = [")
	for _, u := range f.upstreams() {
		p("  { address = %q },", u)
	}
	p("]")
	if f.does(WorkBalance) {
		p("[upstreams.lab.balance]")
		p(`method = "round-robin"`)
	}
	if f.Work == WorkDead {
		p("[upstreams.lab.balance.outliers]")
		p("consecutive = 1")
	}
	if f.does(WorkBreaker) {
		p("[upstreams.lab.breaker]")
		p("consecutive = 5")
	}
	for path, upstream := range f.apart() {
		p("[upstreams.%s]", strings.Trim(path, "/"))
		p("endpoints = [{ address = %q }]", upstream)
		p("[[routes]]")
		p("name = %q", strings.Trim(path, "/"))
		p("path = %q", path)
		p("upstream = %q", strings.Trim(path, "/"))
		p("unobserved = true")
	}
	n := 0
	for path := range f.others() {
		n++
		p("[[routes]]")
		p(`name = "other-%d"`, n)
		p(`path = "%s*rest"`, path)
		p(`upstream = "lab"`)
		p("unobserved = true")
	}
	if n := f.more(); n > 0 {
		p("# … and %d more like these", n)
	}
	p("[[routes]]")
	p(`name = "lab"`)
	p(`path = "/*rest"`)
	p(`upstream = "lab"`)
	p("unobserved = %v", !f.does(WorkObserve) && !f.does(WorkLog))
	if f.Work == WorkNull {
		p("null = 1")
	}
	gatewayStages(p, f)
	return b.String()
}

// gatewayStages writes the stages of the one route.
func gatewayStages(p func(string, ...any), f *Front) {
	switch {
	case f.does(WorkKey):
		p("[routes.auth]")
		p(`by = ["key"]`)
	case f.does(WorkJWT):
		p("[routes.auth]")
		p(`by = ["jwt"]`)
	}
	if f.does(WorkLimit) {
		p("[[routes.limit]]")
		p(`by = "address"`)
		p("limit = %d", workRate)
		p("quiet = true") // no fields: the peers send none
	}
	if f.does(WorkBreaker) {
		p("[routes.breaker]")
	}
	if f.does(WorkCache) {
		p("[routes.cache]")
	}
	if f.does(WorkBalance) {
		p("[routes.balance]")
	}
	if f.does(WorkTransform) {
		p("[routes.transform]")
		p("path = { strip = %q }", workPrefix)
		p(`request = { set = { X-Lab-Route = "lab" } }`)
		p(`response = { set = { X-Lab-Answer = "lab" }, remove = ["X-Lab-Hidden"] }`)
	}
}
