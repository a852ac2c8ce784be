// Command peerserver is the servers of Go's field that corelab measures its cores against, in one binary:
//
//	peerserver --peer gnet --addr 127.0.0.1:8080 --workers 2
//
// Each serves the routes of package routes with the same bytes and the same fields in the head. --config prints how it is
// configured instead, which the lab shows beside its figures; --list prints their names. It logs no access, writes
// errors to standard error, and ends by SIGTERM.
//
// That all are in one binary costs each some memory that it would not need alone: about 9 MiB at rest beside the 7 MiB of
// a program with net/http only.
//
// A peer is one file and one line of the table in peer.go.
package main
