package httpcore_test

import (
	"fmt"

	"corelab/httpcore"
)

// A head and a chunked body arrive in pieces: the parser goes on where it stopped, and the decoder passes data on as it
// comes.
func ExampleHead_Parse() {
	limits := httpcore.Limits{}.Filled()
	in := []byte("POST /echo HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

	var head httpcore.Head
	n, err := head.Parse(in[:30], &limits)
	fmt.Println(n, err)
	n, err = head.Parse(in, &limits)
	fmt.Println(n, err)
	fmt.Printf("%s %s for %s\n", head.Method(), head.Path(), head.Host())

	var body httpcore.Chunked
	data, n, done, err := body.Decode(in[n:], &limits)
	fmt.Printf("%s %d %v %v\n", data, n, done, err)
	// Output:
	// 0 <nil>
	// 70 <nil>
	// POST /echo for example.com
	// hello 15 true <nil>
}
