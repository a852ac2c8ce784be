// Package probe is the app for those who test a server's HTTP/1.1 from outside: corelab check, h1spec, Http11Probe. Each
// route shows what the server made of a request, and none has a limit on the size of content, only on its time: content
// that is announced and does not come is waited for.
//
//	GET      /           OK, with ETag and Last-Modified; 304 and 412 by the preconditions of RFC 9110 §13
//	POST     /           the content, however it was framed, with the request's Content-Type
//	OPTIONS  /           204 with Allow
//	any      /           405 with Allow, also where HTTP does not know the method
//	GET|POST /echo       every field line received, as "Name: value", one a line; the name is as it was sent
//	GET      /cookie     every cookie received, as "name=value", one a line
//	any      elsewhere   404; 400 where the path holds an encoded control character
//
// HEAD goes where GET does. What is wrong with a message as such, a fragment in its target or a method without an end, is
// refused by httpcore on every app alike, and so is what concerns no path of ours:
//
//	OPTIONS *            204 with the Allow of the server as a whole
//	CONNECT host:port    405. It is not 501: that is for a method that the server does not recognize (RFC 9110 §15.6.2),
//	                     and CONNECT is recognized, up to the form of target that it alone takes. It is not 400: nothing is
//	                     wrong with the request. It names a resource, an authority, for which this origin server does not
//	                     support it, and that is 405 (§15.5.6, §9.3.6).
//
// A method that HTTP does not know gets 501 on every other app and on /echo and /cookie, which is what RFC 9110 §9.1
// recommends. On / it gets what every other method gets that a resource has not, so that a tester sees Allow.
package probe
