package servers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"corelab/httpcore"
	"corelab/servers"
)

// One handler is served by any core of the table.
func Example() {
	var routes httpcore.Router
	routes.Add(httpcore.Route{Method: "GET", Pattern: "/hello/:name", Serve: func(x *httpcore.Exchange) {
		x.Reply(&httpcore.Reply{Type: "text/plain", Body: append([]byte("Hello, "), x.Param("name")...)})
	}})
	handler := httpcore.NewHandler(&routes, httpcore.Limits{}, "corelab")

	for _, name := range []string{"goroutine", "pool", "reactor"} {
		core, _ := servers.Find(name)
		server, err := core.New(servers.Config{}, handler)
		if err != nil {
			fmt.Println(err)
			return
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		served := make(chan error)
		go func() { served <- server.Serve(ctx) }()

		response, err := http.Get(fmt.Sprintf("http://%v/hello/%s", server.Addr(), name))
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		stop()
		fmt.Printf("%s %s, then %v\n", response.Proto, body, <-served)
	}
	// Output:
	// HTTP/1.1 Hello, goroutine, then <nil>
	// HTTP/1.1 Hello, pool, then <nil>
	// HTTP/1.1 Hello, reactor, then <nil>
}
