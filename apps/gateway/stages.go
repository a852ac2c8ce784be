package gateway

// kind is a kind of stage.
type kind struct {
	name string
	// build compiles the stage for a route, nil where the route has none. What is wrong goes to b.Fault; at is the route's key
	// in the configuration, "routes.3". up is nil where the route names no upstream.
	build func(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage
	count func(rt *RouteConfig) int // how many of them a route has; nil for one
}

// kinds is every stage there is, in the order in which requests go through them. A new stage is one new file and one line.
var kinds = []kind{
	{"observe", buildObserve, nil},
	{"null", buildNull, countNull},
	{"auth", buildAuth, nil},
	{"limit", buildLimit, nil},
	{"breaker", buildBreaker, nil},
	{"cache", buildCache, nil},
	{"balance", buildBalance, nil},
	{"transform", buildTransform, nil},
	{"forward", buildForward, nil},
}

// compile builds a route's stages into one flat slice.
func (b *Builder) compile(rt *RouteConfig, up *Upstream, at string) (stages []Stage) {
	for _, k := range kinds {
		n := 1
		if k.count != nil {
			n = k.count(rt)
		}
		for range n {
			if s := k.build(b, rt, up, at); s != nil {
				stages = append(stages, s)
			}
		}
	}
	return append(stages, unanswered{})
}

// unanswered is the end of every pipeline: where no stage answers, the route leads nowhere.
type unanswered struct{}

var nowhere = text(404)

// Enter implements Stage.
func (unanswered) Enter(r *Request) Verdict {
	r.Answer(&nowhere)
	return Done
}

// Leave implements Stage.
func (unanswered) Leave(*Request, *Outcome) {}
