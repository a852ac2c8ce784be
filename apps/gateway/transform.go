package gateway

// TransformRoute is what a route says about transform: routes.N.transform.
type TransformRoute struct{}

// buildTransform compiles the stage for a route.
func buildTransform(*Builder, *RouteConfig, *Upstream, string) Stage { return nil }
