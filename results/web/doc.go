// Package web is the recorded runs as pages: a list of them, each run's report, two cells beside each other, and a run that
// is watched while it is measured.
//
//	/                      the runs below the folder, newest first
//	/run/ID/               the report of one: what report.html holds
//	/run/ID/live           the same run while it goes on
//	/run/ID/profiles/…     its profiles, as "go tool pprof" takes them
//	/beside?a=…&b=…        two cells: figures, latency, layers, and the flame graph of their difference
//	/events, /run/ID/events  server-sent events: the list changed; the run's figures so far
//
// It only reads: GET and HEAD are all it answers, and it changes no file. A run is found by looking its ID up among those that
// were listed, never by joining what a URL says to a path; all files are opened below the folder, out of which no link leads.
// Names in records are text of strangers: html/template escapes them, and the pages' policy runs no script but the embedded
// ones. Requests for another host's name are refused, so that no page of that name can read a run (DNS rebinding).
//
// Nothing here is measured, so net/http serves it. But whoever watches a run shares its machine: a record is read once, then
// only what was added to it, and by nobody while no page is open.
package web
