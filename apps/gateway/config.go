package gateway

// Config is a configuration as it is written. The keys of a stage stand beside the stage.
type Config struct {
	Auth      AuthConfig                 `toml:"auth"`
	Limit     LimitConfig                `toml:"limit"`
	Cache     CacheConfig                `toml:"cache"`
	Consumers map[string]*ConsumerConfig `toml:"consumers"`
	Upstreams map[string]*UpstreamConfig `toml:"upstreams"`
	Routes    []*RouteConfig             `toml:"routes"`
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
	Address string            `toml:"address"` // host:port
	Weight  int               `toml:"weight"`  // 0 means 1
	Tags    map[string]string `toml:"tags"`    // for canary rules: version = "2"
}

// RouteConfig is one of routes. A stage that it does not name is off.
type RouteConfig struct {
	Name string `toml:"name"`
	MatchConfig
	Upstream  string          `toml:"upstream"`
	Null      int             `toml:"null"` // stages that do nothing
	Auth      *AuthRoute      `toml:"auth"`
	Limit     []*LimitRoute   `toml:"limit"`
	Breaker   *BreakerRoute   `toml:"breaker"`
	Cache     *CacheRoute     `toml:"cache"`
	Balance   *BalanceRoute   `toml:"balance"`
	Transform *TransformRoute `toml:"transform"`
	Forward   *ForwardRoute   `toml:"forward"`
}
