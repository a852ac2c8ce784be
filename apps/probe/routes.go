package probe

import "corelab/httpcore"

// Routes returns the routes of the app. Any number of loops may serve them at once. All of them stream, so that none has
// a limit on the size of content.
func Routes() []httpcore.Route {
	return []httpcore.Route{
		route("GET", "/", read(servePage)),
		route("POST", "/", serveEcho),
		route("OPTIONS", "/", constant(&options)),
		route(httpcore.AnyMethod, "/", constant(&notAllowed)),
		route("GET", "/echo", read(serveFields)),
		route("POST", "/echo", read(serveFields)),
		route("GET", "/cookie", read(serveCookies)),
		route(httpcore.AnyMethod, "/*path", serveElsewhere),
	}
}

func route(method, pattern string, serve func(*httpcore.Exchange)) httpcore.Route {
	return httpcore.Route{Method: method, Pattern: pattern, Stream: true, MaxBody: -1, Serve: serve}
}

// read serves a request once its content has come to its end, whatever that is: content that is framed wrongly gets its
// 400, and not a reply that did not wait for it.
func read(serve func(*httpcore.Exchange)) func(*httpcore.Exchange) {
	return func(x *httpcore.Exchange) {
		if x.ContentLength() == 0 {
			serve(x)
			return
		}
		x.Stream(unused(serve))
	}
}

// unused is the Sink of content that nobody wants. It answers at the end.
type unused func(*httpcore.Exchange)

// Piece drops the piece.
func (unused) Piece(*httpcore.Exchange, []byte) {}

func (u unused) End(x *httpcore.Exchange) { u(x) }

// Abort has nothing to give back.
func (unused) Abort(error) {}
