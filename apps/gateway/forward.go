package gateway

// ForwardPlace is what the stage forward knows about a request: asking it.
type ForwardPlace struct{}

// ForwardRoute is what a route says about forward: routes.N.forward.
type ForwardRoute struct{}

// buildForward compiles the stage for a route.
func buildForward(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage { return nil }

// ForwardConfig is what an upstream says about being asked: upstreams.NAME.forward. Pool, timeouts, retries.
type ForwardConfig struct{}
