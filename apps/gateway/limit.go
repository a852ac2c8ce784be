package gateway

// LimitPlace is what the stage limit knows about a request: how much of it they may.
type LimitPlace struct{}

// LimitRoute is what a route says about limit: routes.N.limit.
type LimitRoute struct{}

// buildLimit compiles the stage for a route.
func buildLimit(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage { return nil }

// LimitConfig is what the whole gateway has for limit: the shared store, the deny list.
type LimitConfig struct{}
