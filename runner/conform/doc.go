// Package conform holds a server against RFC 9110 and RFC 9112: it sends bytes, well-formed ones and others, on
// connections of its own, and judges each byte that comes back. It knows nothing of the server but its address and a few
// paths; ours are tested by the same door as any other.
//
// # Cases
//
// A case is a conversation on one connection. Cases are text files in folder cases, one a category; [Load] reads them.
//
//	# A comment, in a line of its own.
//	category Content-Length
//
//	== negative
//	MUST RFC 9112 §6.3
//	why A length that is no number cannot be recovered from: 400, and the connection is closed.
//	misframed
//	> POST {post} HTTP/1.1\r\n
//	> Host: {host}\r\n
//	> Content-Length: -1\r\n
//	> \r\n
//	< 400
//	= close
//
// The case's ID is the file's name and its own: length/negative. The lines of its head come first:
//
//	MUST SECTION    what it is when the server fails: MUST or SHOULD, and where that is said. A MUST is one of the RFC's own
//	SHOULD SECTION  (MUST, MUST NOT, REQUIRED); what follows only from the grammar is the SHOULD of RFC 9112 §2.2.
//	why SENTENCE    what the rule says, in our words
//	needs FEATURE…  features without which it is not applicable: echo (a path that answers 200 with the POSTed content), fields
//	                (a path that answers the fields it received, "Name: value", one a line), probe (the app probe), or one
//	                that a core's Lacks may name: keep-alive, pipelining, half-close, timeouts
//	sent bytes      the first > block goes out byte by byte
//	sent splits     the case is played once for every place where its first > block can be split in two
//	malformed       the message breaks the grammar. A second one is put behind what is sent: GET /smuggled. Where the first
//	                is answered with an error (4xx or 5xx, but 403, 404, 405), the second must stay unanswered: this is a check of its own
//	                in category smuggling, ID+second, a SHOULD of RFC 9112 §2.2
//	misframed       as malformed, but where the message ends is in doubt: it is a MUST, RFC 9112 §6.3 or §11.2
//
// Then come the steps, in order:
//
//	> BYTES         send; lines that follow each other are one write. Nothing is added at the end of a line
//	|               what follows is a write of its own, a moment later
//	fin             half-close
//	reset           close the connection with RST; nothing but = alive may follow
//	< STATUS…       read an answer with one of these statuses: 200, 4xx, ok, none, any, each as often as one likes.
//	                none: the connection ends without an answer. ok: 2xx where the server has an echo path; where it has
//	                none, also the 3xx, 403, 404 and 405 of a server that understood and has no such resource.
//	                Interim answers are passed over, unless the line begins with one: < 100. Where others follow, < 100 any,
//	                and a final answer comes instead, the case ends with it. Behind the statuses may stand what the answer
//	                is to: "to HEAD", "to 1.0", "to 0.9" (a request of that version; none of the rules are for 0.9).
//	                A line asks of the answer that was read:
//	  body BYTES      this content exactly; none, where nothing follows. Not judged, nor is body ~, where
//	                  something was sent to {post} and there is no echo
//	  body ~ BYTES    content with this in it
//	  body !~ BYTES   content without it
//	  field NAME: V   a field with exactly this value
//	  field NAME ~ V  a field with this in its value, in any case
//	  field NAME      a field of that name
//	  no NAME         no field of that name
//	  no interim      no 1xx answer came before it
//	  like N NAME…    these fields, where they are there, are equal to those of answer N of the conversation
//	quiet           nothing comes for a short while, and the connection stays open
//	= close         the server closes now, and sends nothing more
//	= serves        the connection goes on: {path} is asked once more and answered with 200. A server that announced with its last
//	                answer that it closes may close instead
//	= open          as serves, but the connection must not be closed
//	= alive         {path} is answered with 200 on a new connection
//
// Without a line = nothing is asked of the connection. BYTES have the escapes \r \n \t \\ \xHH and the words {path}, {post}
// (the echo path, or else {path}), {fields}, {host} (the authority), {COUNT*BYTES}, and {N:NAME}, the value of a field of
// answer N; where that has no such field, the case is not applicable. A brace is \x7b.
//
// # Rules
//
// Beside what its case asks, every answer is held to what all answers must be: the [Rules], each a check in category responses
// over all answers of the run.
package conform
