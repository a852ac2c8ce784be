package gateway

// null does nothing: its price is that of being a stage.
type null struct{}

// Enter implements Stage.
func (null) Enter(*Request) Verdict { return Next }

// Leave implements Stage.
func (null) Leave(*Request, *Outcome) {}

// buildNull compiles one of the stages that a route's null asks for.
func buildNull(*Builder, *RouteConfig, *Upstream, string) Stage { return null{} }

// countNull is how many a route wants.
func countNull(rt *RouteConfig) int { return rt.Null }
