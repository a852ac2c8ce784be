package gateway

// AuthPlace is what the stage auth knows about a request: who asks, and whether they may.
type AuthPlace struct{}

// AuthRoute is what a route says about auth: routes.N.auth.
type AuthRoute struct{}

// buildAuth compiles the stage for a route.
func buildAuth(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage { return nil }

// AuthConfig is what the whole gateway has for auth: keys, token cache, revocation.
type AuthConfig struct{}

// ConsumerConfig is one of consumers.NAME.
type ConsumerConfig struct{}

// Consumer is somebody whom auth knows.
type Consumer struct {
	Name string
}
