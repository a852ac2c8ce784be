package gateway

// BalancePlace is what the stage balance knows about a request: which endpoint is asked.
type BalancePlace struct{}

// BalanceRoute is what a route says about balance: routes.N.balance.
type BalanceRoute struct{}

// buildBalance compiles the stage for a route.
func buildBalance(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage { return nil }

// BalanceConfig is what an upstream says about the choice of its endpoints: upstreams.NAME.balance, health checks included.
type BalanceConfig struct{}
