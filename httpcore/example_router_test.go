package httpcore_test

import (
	"fmt"

	"corelab/httpcore"
)

func ExampleRouter() {
	var r httpcore.Router
	user := func(x *httpcore.Exchange) {
		x.Reply(&httpcore.Reply{Type: "text/plain", Body: x.Param("id")})
	}
	fmt.Println(r.Add(httpcore.Route{Method: "GET", Pattern: "/users/:id", Serve: user}))
	fmt.Println(r.Add(httpcore.Route{Method: "PUT", Pattern: "/users/:name", Serve: user}))
	fmt.Println(r.Allow())
	// Output:
	// <nil>
	// route PUT /users/:name: parameter name is called id in GET /users/:id: one place has one name
	// GET, HEAD, OPTIONS
}
