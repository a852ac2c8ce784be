// Package wire is HTTP/1.1 for the peers that are transports only, gnet and netpoll: what a program on them must bring
// itself. It reads the request line and the fields to the empty line, takes from them what framing and the connection
// need (Content-Length, Connection, Content-Type), and writes a head of the same fields as nginx's. It does not check the
// characters of names and values, has no chunked bodies (it answers 501), and does not route.
//
// So rows of gnet and netpoll show a transport under a parser that does less than those of complete HTTP servers.
package wire
