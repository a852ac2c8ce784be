package httpcore

import "math"

// Chunked decodes the chunked transfer coding, RFC 9112 §7.1, as its bytes come. The zero Chunked is ready for a body.
// It holds no bytes: data is passed on where it lies, extensions and trailer fields are checked and dropped.
type Chunked struct {
	left   int64 // size of the chunk while its line is read, then bytes of it that are still to come
	used   int32 // bytes of the chunk-size line, or of the trailer section, so far
	extra  int32 // bytes of extensions so far, in all chunks
	fields int32 // field lines of the trailer section so far
	state  uint8
}

// States of the decoder: what the next byte belongs to.
const (
	chunkFirst    = iota // the first digit of a chunk size
	chunkDigits          // further digits, or what may follow
	chunkSpace           // white space that only a semicolon may end
	chunkExt             // behind a semicolon
	chunkName            // the name of an extension
	chunkNameEnd         // white space behind it
	chunkEquals          // behind an equals sign
	chunkToken           // a value that is a token
	chunkQuoted          // a value in quotes
	chunkEscape          // behind a backslash in one
	chunkQuoteEnd        // behind the closing quote
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerLine // the first byte of a trailer field line, or the last CR
	trailerName
	trailerValue
	trailerLF
	trailerLastLF
	chunkDone
)

// Decode takes bytes of the body from b and returns how many it took. At most one piece of data comes of a call: data
// is a part of b, borrowed as b is. It reads on behind that piece until the next one begins, b ends or the body does, so
// that data may come with done or with an error, and counts all the same. The caller comes again with b[n:] until done.
//
// A size line above l.ChunkLine bytes is an error, and so are extensions above l.Head bytes in all chunks together (RFC 9112
// §7.1.1), and a trailer section above l.Head bytes or l.Fields lines.
// After done or an error nothing more is taken.
func (d *Chunked) Decode(b []byte, l *Limits) (data []byte, n int, done bool, err *Error) {
	for n < len(b) && d.state != chunkDone {
		if d.state != chunkData {
			if err = d.step(b[n], l); err != nil {
				return data, n, false, err
			}
			n++
			continue
		}
		if data != nil {
			return data, n, false, nil
		}
		size := len(b) - n
		if int64(size) >= d.left {
			size = int(d.left)
			d.state = chunkDataCR
		}
		d.left -= int64(size)
		data = b[n : n+size : n+size]
		n += size
	}
	return data, n, d.state == chunkDone, nil
}

// step takes a byte that is not data.
func (d *Chunked) step(c byte, l *Limits) *Error {
	switch {
	case d.state >= trailerLine:
		if d.used++; int(d.used) > l.Head {
			return errTrailerLong
		}
		return d.trailer(c, l)
	case d.state == chunkDataCR:
		if c != '\r' {
			return errChunkEnd
		}
		d.state = chunkDataLF
	case d.state == chunkDataLF:
		if c != '\n' {
			return errChunkEnd
		}
		d.state = chunkFirst
	case d.state <= chunkDigits:
		if d.used++; int(d.used) > l.ChunkLine {
			return errChunkLine
		}
		return d.size(c)
	default:
		if d.used++; int(d.used) > l.ChunkLine {
			return errChunkLine
		}
		if d.state != chunkSizeLF {
			if d.extra++; int(d.extra) > l.Head {
				return errChunkExtensions
			}
		}
		return d.extension(c)
	}
	return nil
}

// size takes a byte of the chunk size, or the one behind it.
func (d *Chunked) size(c byte) *Error {
	if class[c]&hexByte != 0 {
		digit := int64(c & 0xf)
		if c > '9' {
			digit += 9
		}
		if d.left > (math.MaxInt64-digit)/16 {
			return errChunkOverflow
		}
		d.left = d.left*16 + digit
		d.state = chunkDigits
		return nil
	}
	if d.state == chunkFirst {
		return errChunkSize
	}
	return d.between(c, chunkSpace, errChunkSize)
}

// between takes a byte where an extension may begin, or the line end. space is the state behind white space.
func (d *Chunked) between(c byte, space uint8, wrong *Error) *Error {
	switch {
	case c == ';':
		d.state = chunkExt
	case c == '\r':
		d.state = chunkSizeLF
	case isSpace(c):
		d.state = space
	case c == '\n':
		return errChunkLF
	default:
		return wrong
	}
	return nil
}

// extension takes a byte of the chunk-size line behind the size, RFC 9112 §7.1.1:
//
//	*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ) CRLF
func (d *Chunked) extension(c byte) *Error {
	token := class[c]&tokenByte != 0
	switch d.state {
	case chunkName:
		switch {
		case token:
			return nil
		case c == '=':
			d.state = chunkEquals
			return nil
		}
		return d.between(c, chunkNameEnd, errChunkExtension)
	case chunkToken:
		if token {
			return nil
		}
		return d.between(c, chunkSpace, errChunkExtension)
	case chunkQuoteEnd:
		return d.between(c, chunkSpace, errChunkExtension)

	case chunkSpace:
		switch {
		case isSpace(c):
			return nil
		case c == ';':
			d.state = chunkExt
			return nil
		}
	case chunkExt:
		switch {
		case isSpace(c):
			return nil
		case token:
			d.state = chunkName
			return nil
		}
	case chunkNameEnd:
		switch {
		case isSpace(c):
			return nil
		case c == ';':
			d.state = chunkExt
			return nil
		case c == '=':
			d.state = chunkEquals
			return nil
		}
	case chunkEquals:
		switch {
		case isSpace(c):
			return nil
		case c == '"':
			d.state = chunkQuoted
			return nil
		case token:
			d.state = chunkToken
			return nil
		}

	case chunkQuoted:
		switch {
		case c == '"':
			d.state = chunkQuoteEnd
			return nil
		case c == '\\':
			d.state = chunkEscape
			return nil
		case class[c]&valueByte != 0:
			return nil
		}
	case chunkEscape:
		if class[c]&valueByte != 0 {
			d.state = chunkQuoted
			return nil
		}

	case chunkSizeLF:
		if c != '\n' {
			return errChunkLF
		}
		d.used = 0
		d.state = chunkData
		if d.left == 0 {
			d.state = trailerLine
		}
		return nil
	}
	if c == '\n' {
		return errChunkLF
	}
	return errChunkExtension
}

// trailer takes a byte behind the last chunk, RFC 9112 §7.1.2. Field lines are held to what a head's are.
func (d *Chunked) trailer(c byte, l *Limits) *Error {
	switch d.state {
	case trailerLine:
		if c == '\r' {
			d.state = trailerLastLF
			return nil
		}
		if d.fields++; int(d.fields) > l.Fields {
			return errFieldCount
		}
		if class[c]&tokenByte == 0 {
			return nameError(c, true)
		}
		d.state = trailerName
	case trailerName:
		switch {
		case c == ':':
			d.state = trailerValue
		case class[c]&tokenByte == 0:
			return nameError(c, false)
		}
	case trailerValue:
		switch {
		case c == '\r':
			d.state = trailerLF
		case class[c]&valueByte == 0:
			return valueError(c)
		}
	case trailerLF:
		if c != '\n' {
			return errFieldCR
		}
		d.state = trailerLine
	case trailerLastLF:
		if c != '\n' {
			return errFieldCR
		}
		d.state = chunkDone
	}
	return nil
}
