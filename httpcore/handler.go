package httpcore

// Handler is what a server serves: routes under limits, by a name. It is shared by all connections of all loops and must
// not change once a server runs. Make one with [NewHandler].
type Handler struct {
	Router *Router
	Limits Limits
	Server string // value of the Server field; empty leaves it out
}

// NewHandler returns a Handler with the defaults of limits filled in.
func NewHandler(r *Router, limits Limits, server string) *Handler {
	return &Handler{Router: r, Limits: limits.Filled(), Server: server}
}

// AnyMethod is the Method of a route that is served every method for which its pattern has no other route: those that
// HTTP does not know too, OPTIONS, and HEAD where there is no GET. It is in no Allow field. It is a token, and so could
// be sent as a method; that one is unknown as well.
const AnyMethod = "*"

// Route is one method of one path pattern, and how its content is taken.
type Route struct {
	Method  string // a method name, as sent, or AnyMethod; a GET route answers HEAD too unless HEAD has its own
	Pattern string // "/", "/users/:id", "/static/*path"

	// Stream has Serve called at the head, before the body, which then goes to the Sink given to [Exchange.Stream].
	// Otherwise Serve is called with the whole body in [Exchange.Body].
	Stream bool
	// MaxBody bounds the content in bytes; 0 means Limits.Body, below 0 any length.
	MaxBody int64

	// Serve answers the request: with exactly one Reply, or with Hold and a Reply later.
	Serve func(x *Exchange)

	// Tag is for whoever calls [Router.Find]. Nothing here looks at it.
	Tag uint32
}
