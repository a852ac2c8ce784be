package gateway

// BreakerPlace is what the stage breaker knows about a request: whether the upstream is asked at all.
type BreakerPlace struct{}

// BreakerRoute is what a route says about breaker: routes.N.breaker.
type BreakerRoute struct{}

// buildBreaker compiles the stage for a route.
func buildBreaker(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage { return nil }

// BreakerConfig is what an upstream says about its breaker: upstreams.NAME.breaker.
type BreakerConfig struct{}
