package gateway

// CachePlace is what the stage cache knows about a request: whether it needs to be asked.
type CachePlace struct{}

// CacheRoute is what a route says about cache: routes.N.cache.
type CacheRoute struct{}

// buildCache compiles the stage for a route.
func buildCache(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage { return nil }

// CacheConfig is what the whole gateway has for cache: its bytes, its second level.
type CacheConfig struct{}
