package gateway

import (
	"io"
	"net/netip"
	"slices"
)

// Snapshot is a configuration, compiled. It does not change, but for what its shared services do in themselves.
type Snapshot struct {
	Config    *Config
	Routes    []*Route             // in the order of the configuration
	Upstreams map[string]*Upstream // by name

	adminKey [32]byte // SHA-256; zeros for none
	number   int64    // of the configurations taken over
	table    *routeTable
	none     *Route // of requests that no route takes
	keeps    map[*keepID]bool
	shares   map[shareID]*share
}

// Route is a route of a snapshot, with its stages.
type Route struct {
	Name     string
	Index    int       // in Snapshot.Routes; len(Routes) for requests that no route takes
	Upstream *Upstream // nil where none is named
	Config   *RouteConfig

	stages     []Stage
	answering  []place[Answering]  // those of stages that are that, in reverse
	attempting []place[Attempting] // the same
}

// place is where in a route a stage stands.
type place[T Stage] struct {
	at    int
	stage T
}

// newRoute compiles stages into a route.
func newRoute(name string, stages []Stage) *Route {
	rt := &Route{Name: name, stages: stages}
	for i, s := range slices.Backward(stages) {
		if a, ok := s.(Answering); ok {
			rt.answering = append(rt.answering, place[Answering]{i, a})
		}
		if a, ok := s.(Attempting); ok {
			rt.attempting = append(rt.attempting, place[Attempting]{i, a})
		}
	}
	return rt
}

// Upstream is a group of endpoints that serve the same.
type Upstream struct {
	Name      string
	Config    *UpstreamConfig
	Endpoints []*Endpoint
}

// Endpoint is one server of an upstream.
type Endpoint struct {
	Upstream *Upstream
	Index    int            // in Upstream.Endpoints
	Name     string         // upstream, slash, address: what its state is kept by
	Addr     netip.AddrPort // where to connect
	Host     string         // the Host field to send, where the client's own is not passed on
	Weight   int            // at least 1
	Tags     map[string]string
}

// Picker chooses endpoints.
type Picker interface {
	// Again chooses an endpoint for another attempt, leaves it in r.Endpoint and returns it: one that was not tried if there
	// is any; nil if none may be asked now.
	Again(r *Request) *Endpoint
}

// Builder is what a stage is compiled with.
type Builder struct {
	Config   *Config
	Snapshot *Snapshot // under way: Upstreams are whole, Routes are not

	faults  *Faults
	gateway *Gateway
	made    []*share // by this builder; closed if the configuration is refused
	memo    map[memoKey]any
}

type memoKey struct{ kind, name string }

// Fault notes that something is wrong with the configuration at a key, such as "routes.3.limit.rate" or "upstreams.users".
func (b *Builder) Fault(at, format string, args ...any) { b.faults.Add(at, format, args...) }

// sound reports whether nothing was found wrong so far.
func (b *Builder) sound() bool { return b.faults.None() }

// Memo returns what fresh returned for this kind and name in this snapshot before, or calls it: for what routes share.
func Memo[T any](b *Builder, kind, name string, fresh func() T) T {
	k := memoKey{kind, name}
	if v, ok := b.memo[k]; ok {
		return v.(T)
	}
	v := fresh()
	b.memo[k] = v
	return v
}

// keep returns the identity of a state.
func (b *Builder) keep(kind, name string) *keepID {
	id := b.gateway.keepID(kind, name)
	b.Snapshot.keeps[id] = true
	return id
}

// Starter is a shared service that has something to do in the background.
type Starter interface {
	// Start is called once, when a configuration that names the service was taken over. It must not block.
	Start(g *Gateway)
}

// shareID names a shared service: settings tells apart what must begin anew.
type shareID struct{ kind, name, settings string }

// share is a shared service.
type share struct {
	id    shareID
	value any
}

// Share declares a service of the process: the one of that kind, name and settings that the configuration in force has, or
// a new one by fresh. A service that is a [Starter] is started when the configuration is taken over; one that is an
// io.Closer is closed when none in force names it any more, or when the configuration is refused. settings is the text of
// all that fresh depends on.
func Share[T any](b *Builder, kind, name, settings string, fresh func() T) T {
	id := shareID{kind, name, settings}
	if s := b.Snapshot.shares[id]; s != nil {
		return s.value.(T)
	}
	if old := b.gateway.snapshot.Load(); old != nil {
		if s := old.shares[id]; s != nil {
			b.Snapshot.shares[id] = s
			return s.value.(T)
		}
	}
	s := &share{id: id, value: fresh()}
	b.made = append(b.made, s)
	b.Snapshot.shares[id] = s
	return s.value.(T)
}

// close ends the service.
func (s *share) close() {
	if c, ok := s.value.(io.Closer); ok {
		c.Close() // it works in the background: it has said itself what failed
	}
}
