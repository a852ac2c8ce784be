// Package lab is the app that scenarios measure: one small route for each thing a server can be slow at.
//
//	GET      /, /plaintext      Hello, World!
//	GET      /json              {"message":"Hello, World!"}, a constant, as nginx would send it
//	GET      /json/:count?m=    the first count items of a data set, each with total = price·quantity·m, built and
//	                            serialised for every request; a count above the data set's 50 means 50, m defaults to 1
//	GET      /users/:id         the id, as it was sent
//	POST     /echo              the body, at most 16 MiB, with the request's Content-Type
//	GET      /bytes/:n          n bytes, at most 64 MiB: abcdefghijklmnopqrstuvwxyz over and over, cut at n
//	GET      /delay/:ms         ok, held for that many milliseconds, at most 60,000, by a timer of the loop
//	GET      /spin/:us          ok, after burning that many microseconds of CPU, at most 1,000,000
//	GET      /static/*path      a file, with conditional requests (RFC 9110 §13) and one range (§14)
//	GET      /status/204, /status/304
//	GET      /health            ok
//
// and the routes of the public HttpArena profiles, as its validators expect them:
//
//	GET|POST /baseline11?a=&b=  the sum of all integers in the query and, for POST, of the integer in the body
//	GET      /pipeline          ok
//	POST     /upload            the number of bytes received, at most 1 GiB, never more than a piece of it in memory
//
// The routes for plain text, constants, users, pipeline, baseline11 and items allocate nothing once the connection's
// buffers are warm. None blocks the loop that calls it, but for /spin, whose purpose that is, and /static, which opens a
// file.
package lab
