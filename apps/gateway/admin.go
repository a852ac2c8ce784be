package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"strings"

	"corelab/apps/gateway/settings"
	"corelab/httpcore"
)

// AdminConfig is the admin interface: a port of its own, on this machine only.
//
//	GET  /metrics   what was counted, in Prometheus's text format
//	GET  /health    200 as long as the process lives
//	GET  /ready     200 while it takes requests, else 503
//	GET  /config    which configuration is in force                               with the key
//	PUT  /config    takes over the configuration in the body, until the next reload of the file   with the key
//	POST /reload    reads the file again                                          with the key
//
// The key is sent as Authorization: Bearer KEY. What is wrong with a configuration is the body of a 422.
type AdminConfig struct {
	Listen string          `toml:"listen"` // a loopback address and port
	Key    settings.Secret `toml:"key"`    // there is no default
}

// minKey is the least bytes of an admin key.
const minKey = 16

func (c *AdminConfig) check(b *Builder) {
	addr, err := netip.ParseAddrPort(c.Listen)
	switch {
	case err != nil:
		b.Fault("admin.listen", "%q is no IP address and port; write it like 127.0.0.1:9901", c.Listen)
	case !addr.Addr().IsLoopback():
		b.Fault("admin.listen", "%s is not an address of this machine's loopback: the admin interface is for this machine only", addr.Addr())
	}
	key, err := c.Key.Get()
	switch {
	case err != nil:
		b.Fault("admin.key", "%v", err)
	case len(key) < minKey:
		b.Fault("admin.key", "the key has %d bytes; it needs %d", len(key), minKey)
	default:
		b.Snapshot.adminKey = sha256.Sum256([]byte(key))
	}
}

// AdminAddr returns where the admin interface is to listen; the zero AddrPort for nowhere. It does not move by a reload.
func (g *Gateway) AdminAddr() netip.AddrPort {
	c := g.snapshot.Load().Config.Admin
	if c == nil {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(c.Listen) // it was checked
}

// AdminRoutes are what the admin interface serves. They may wait for the shards, so they belong on a core of their own.
func (g *Gateway) AdminRoutes() []httpcore.Route {
	return []httpcore.Route{
		{Method: "GET", Pattern: "/metrics", Serve: late(func() httpcore.Reply {
			return httpcore.Reply{Type: "text/plain; version=0.0.4; charset=utf-8", Body: g.Scrape().Text(nil)}
		})},
		{Method: "GET", Pattern: "/health", Serve: func(x *httpcore.Exchange) { x.Reply(say(200, "ok")) }},
		{Method: "GET", Pattern: "/ready", Serve: func(x *httpcore.Exchange) { x.Reply(g.readiness()) }},
		{Method: "GET", Pattern: "/config", Serve: g.keyed(func(*httpcore.Exchange) httpcore.Reply {
			sn := g.snapshot.Load()
			return *say(200, fmt.Sprintf("configuration %d: %d routes, %d upstreams, %d consumers",
				sn.number, len(sn.Routes), len(sn.Upstreams), len(sn.Config.Consumers)))
		})},
		{Method: "PUT", Pattern: "/config", MaxBody: maxConfig, Serve: g.keyed(func(x *httpcore.Exchange) httpcore.Reply {
			return *g.tookOver(g.Take(Read("body", x.Body())))
		})},
		{Method: "POST", Pattern: "/reload", Serve: g.keyed(func(*httpcore.Exchange) httpcore.Reply {
			return *g.tookOver(g.Reload())
		})},
	}
}

// maxConfig bounds a configuration that is put.
const maxConfig = 64 << 20

// readiness is the answer to /ready.
func (g *Gateway) readiness() *httpcore.Reply {
	if g.Ready() {
		return say(200, "ready")
	}
	return say(503, "draining")
}

// tookOver is the answer to a change of the configuration.
func (g *Gateway) tookOver(err error) *httpcore.Reply {
	if err != nil {
		return say(422, err.Error()+"\nnothing was changed")
	}
	return say(200, fmt.Sprintf("configuration %d is in force", g.snapshot.Load().number))
}

func say(status int, text string) *httpcore.Reply {
	return &httpcore.Reply{Status: status, Type: "text/plain; charset=utf-8", Body: []byte(text + "\n")}
}

// late answers from a goroutine of its own: what it does may wait.
func late(serve func() httpcore.Reply) func(x *httpcore.Exchange) {
	return func(x *httpcore.Exchange) {
		held, loop := x.Hold(), x.Loop()
		go func() {
			reply := serve()
			loop.Post(func() { held.Reply(&reply) })
		}()
	}
}

// keyed serves whoever has the key. It compiles configurations where it is called: on a core of its own, see AdminRoutes.
func (g *Gateway) keyed(serve func(x *httpcore.Exchange) httpcore.Reply) func(x *httpcore.Exchange) {
	return func(x *httpcore.Exchange) {
		if !g.hasKey(x) {
			reply := say(401, "the admin key is missing or wrong")
			reply.Fields = "WWW-Authenticate: Bearer\r\n"
			x.Reply(reply)
			return
		}
		reply := serve(x)
		x.Reply(&reply)
	}
}

// hasKey reports whether a request has the admin key. Digests are compared: how long the right key is, and how far a wrong
// one is right, takes no measurable time.
func (g *Gateway) hasKey(x *httpcore.Exchange) bool {
	v, _ := x.Field("Authorization")
	key, found := strings.CutPrefix(string(v), "Bearer ")
	sum := sha256.Sum256([]byte(key))
	want := g.snapshot.Load().adminKey
	return found && want != [32]byte{} && subtle.ConstantTimeCompare(sum[:], want[:]) == 1
}
