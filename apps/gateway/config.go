package gateway

import (
	"fmt"
	"net/netip"
	"os"

	"corelab/apps/gateway/settings"
)

// Config is a configuration as it is written. The keys of a stage stand beside the stage.
type Config struct {
	Admin   *AdminConfig   `toml:"admin"`   // none: no admin interface
	Serve   ServeConfig    `toml:"serve"`   // what is answered beside the routes
	Observe *ObserveConfig `toml:"observe"` // none: nothing is counted, logged or traced

	Auth      AuthConfig                 `toml:"auth"`
	Limit     LimitConfig                `toml:"limit"`
	Cache     CacheConfig                `toml:"cache"`
	Consumers map[string]*ConsumerConfig `toml:"consumers"`
	Upstreams map[string]*UpstreamConfig `toml:"upstreams"`
	Routes    []*RouteConfig             `toml:"routes"`
}

// ServeConfig is what the gateway answers by itself on the port that it serves.
type ServeConfig struct {
	Health bool `toml:"health"` // GET /health and /ready, before any route
}

// UpstreamConfig is one of upstreams.NAME.
type UpstreamConfig struct {
	Endpoints []*EndpointConfig `toml:"endpoints"`
	Balance   BalanceConfig     `toml:"balance"`
	Breaker   *BreakerConfig    `toml:"breaker"` // none: no breaker
	Forward   ForwardConfig     `toml:"forward"`
}

// EndpointConfig is one of upstreams.NAME.endpoints.
type EndpointConfig struct {
	Address string            `toml:"address"` // IP:port
	Weight  int               `toml:"weight"`  // 0 means 1
	Tags    map[string]string `toml:"tags"`    // for canary rules: version = "2"
}

// RouteConfig is one of routes. A stage that it does not name is off.
type RouteConfig struct {
	Name string `toml:"name"` // its own: what counters, logs and limits call it
	MatchConfig
	Upstream   string          `toml:"upstream"`
	Null       int             `toml:"null"`       // stages that do nothing
	Unobserved bool            `toml:"unobserved"` // leaves the stage observe out
	Auth       *AuthRoute      `toml:"auth"`
	Limit      []*LimitRoute   `toml:"limit"`
	Breaker    *BreakerRoute   `toml:"breaker"`
	Cache      *CacheRoute     `toml:"cache"`
	Balance    *BalanceRoute   `toml:"balance"`
	Transform  *TransformRoute `toml:"transform"`
	Forward    *ForwardRoute   `toml:"forward"`
}

// Bounds of what a configuration may ask for.
const (
	maxNull   = 1000
	maxWeight = 1 << 16
)

// Read reads a configuration. What is wrong with its form is in the Faults, to which compiling it adds what is wrong with
// its meaning.
func Read(file string, src []byte) (*Config, *Faults) {
	c := &Config{}
	return c, settings.Read(file, src, c)
}

// ReadFile reads the configuration in a file.
func ReadFile(path string) (*Config, *Faults) {
	src, err := os.ReadFile(path)
	if err != nil {
		f := &Faults{}
		f.Add("", "read the configuration: %v", err)
		return &Config{}, f
	}
	return Read(path, src)
}

// check judges what no stage does.
func (b *Builder) check() {
	c := b.Config
	if len(c.Routes) == 0 {
		b.Fault("routes", "there is no route; write at least one [[routes]]")
	}
	names := map[string]int{}
	for i, rt := range c.Routes {
		at := fmt.Sprintf("routes.%d", i)
		if rt.Name == "" {
			b.Fault(at+".name", "a route needs a name: it is what counters and logs call it")
		} else if first, twice := names[rt.Name]; twice {
			b.Fault(at+".name", "routes.%d is called %q too", first, rt.Name)
		} else {
			names[rt.Name] = i
		}
		if rt.Null < 0 || rt.Null > maxNull {
			b.Fault(at+".null", "null must be between 0 and %d", maxNull)
		}
	}
	if c.Admin != nil {
		c.Admin.check(b)
	}
}

// upstream compiles one of upstreams.NAME.
func (b *Builder) upstream(name string, uc *UpstreamConfig) *Upstream {
	up := &Upstream{Name: name, Config: uc}
	at := "upstreams." + name
	if len(uc.Endpoints) == 0 {
		b.Fault(at, "there is no endpoint; write endpoints = [{ address = \"127.0.0.1:8081\" }]")
	}
	seen := map[netip.AddrPort]bool{}
	for i, ec := range uc.Endpoints {
		at := fmt.Sprintf("%s.endpoints.%d", at, i)
		addr, err := netip.ParseAddrPort(ec.Address)
		switch {
		case err != nil || addr.Port() == 0:
			b.Fault(at+".address", "%q is no IP address and port; write it like 127.0.0.1:8081", ec.Address)
		case seen[addr]:
			b.Fault(at+".address", "%s is there twice", addr)
		}
		seen[addr] = true
		if ec.Weight < 0 || ec.Weight > maxWeight {
			b.Fault(at+".weight", "weight must be between 1 and %d", maxWeight)
		}
		up.Endpoints = append(up.Endpoints, &Endpoint{Upstream: up, Index: i, Name: name + "/" + addr.String(), Addr: addr,
			Host: addr.String(), Weight: max(ec.Weight, 1), Tags: ec.Tags})
	}
	return up
}
