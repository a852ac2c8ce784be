package httpcore

// Error is what a peer did wrong, and the status that answers it. The connection does not survive one.
// Every Error that this package returns is one of a fixed set, so that refusing a request allocates nothing.
type Error struct {
	Status int    // 400, 408, 413, 414, 417, 431, 501, 505
	Reason string // what was wrong, for people: "bare LF in a field line"
}

func (e *Error) Error() string { return e.Reason }

// text is the content of the reply that says so.
func (e *Error) text() []byte { return []byte(StatusText(e.Status) + ": " + e.Reason + "\n") }

// What ends a connection whose bytes were valid so far.
var (
	errHeadCut       = &Error{400, "the connection ended within a head"}
	errBodyCut       = &Error{400, "the connection ended within the content"}
	errHeadTime      = &Error{408, "the head took too long"}
	errBodyTime      = &Error{408, "the content came too slowly"}
	errBodySize      = &Error{413, "the content is larger than this resource takes"}
	errMethodUnknown = &Error{501, "the method is not known"}
	errWriteIdle     = &Error{408, "the peer read nothing for too long"}
	errIdle          = &Error{408, "the connection was idle for too long"}
	errClosed        = &Error{400, "the connection was closed"}
	errDropped       = &Error{500, "the handler dropped the exchange without a reply"}
	errShort         = &Error{500, "a reply's source ended before its announced length, or went on behind it"}
)

// What is wrong with a request line, RFC 9112 §3.
var (
	errEmptyLines   = &Error{400, "too many empty lines before the request line"}
	errLineStart    = &Error{400, "bare CR before the request line"}
	errMethod       = &Error{400, "the method is not a token followed by one space"}
	errMethodLong   = &Error{400, "the method is too long"}
	errTarget       = &Error{400, "the request target is not a valid URI"}
	errTargetBreak  = &Error{400, "the request line ends without a version"}
	errTargetForm   = &Error{400, "this method does not take this form of request target"}
	errFragment     = &Error{400, "a fragment in the request target"}
	errPercent      = &Error{400, "a percent sign without two hexadecimal digits in the request target"}
	errAuthority    = &Error{400, "invalid authority in the request target"}
	errTargetLong   = &Error{414, "the request target is too long"}
	errVersion      = &Error{400, "the version is not of the form HTTP/1.1, followed by CRLF"}
	errVersionOther = &Error{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
)

// What is wrong with field lines, RFC 9112 §5, in a head or in a trailer section.
var (
	errHeadLong     = &Error{431, "the request head is too long"}
	errFieldCount   = &Error{431, "too many field lines"}
	errFold         = &Error{400, "a field line begins with white space"}
	errNameEmpty    = &Error{400, "an empty field name"}
	errNameSpace    = &Error{400, "white space before the colon of a field line"}
	errNameBreak    = &Error{400, "a field line without a colon"}
	errName         = &Error{400, "a field name is not a token"}
	errFieldLF      = &Error{400, "bare LF in a field line"}
	errFieldCR      = &Error{400, "bare CR in a field line"}
	errFieldControl = &Error{400, "a control character in a field value"}
)

// What is wrong with fields that frame the message or the connection.
var (
	errHostMissing = &Error{400, "no Host field"}
	errHostTwice   = &Error{400, "more than one Host field"}
	errHost        = &Error{400, "invalid Host field"}
	errLength      = &Error{400, "invalid Content-Length field"}
	errLengths     = &Error{400, "differing Content-Length values"}
	errCoding      = &Error{400, "invalid Transfer-Encoding field"}
	errCodingLast  = &Error{400, "chunked is not the last transfer coding, or is there twice"}
	errCodingOld   = &Error{400, "a Transfer-Encoding field in HTTP/1.0"}
	errCodingBoth  = &Error{400, "both Transfer-Encoding and Content-Length"}
	errCodingOther = &Error{501, "no transfer coding but chunked is known here"}
	errExpect      = &Error{417, "no expectation but 100-continue is known here"}
)

// What is wrong with a chunked body, RFC 9112 §7.1.
var (
	errChunkSize       = &Error{400, "a chunk size is not hexadecimal"}
	errChunkOverflow   = &Error{400, "a chunk size is too large"}
	errChunkLine       = &Error{400, "a chunk-size line is too long"}
	errChunkExtension  = &Error{400, "invalid chunk extension"}
	errChunkExtensions = &Error{400, "the chunk extensions are too long"}
	errChunkLF         = &Error{400, "bare LF or CR in a chunk-size line"}
	errChunkEnd        = &Error{400, "chunk data is not followed by CRLF"}
	errTrailerLong     = &Error{431, "the trailer section is too long"}
)
