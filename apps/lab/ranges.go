package lab

import "bytes"

// rangeVerdict is what a Range field asks for.
type rangeVerdict int

const (
	whole         rangeVerdict = iota // not bytes, not valid, or more than one range: the field is ignored
	partial                           // 206
	unsatisfiable                     // 416
)

// parseRange reads the value of a Range field against a file of size bytes: bytes=A-B, bytes=A- or bytes=-N,
// RFC 9110 §14.1.2. Several ranges get the whole file, as §14.2 allows: a multipart answer is worth nothing to those who
// measure, and overlapping ranges are a known attack.
func parseRange(value []byte, size int64) (first, n int64, verdict rangeVerdict) {
	const unit = "bytes="
	// A letter outside ASCII that folds to one of ours has two bytes or more, so that it does not fit.
	if len(value) < len(unit) || !bytes.EqualFold(value[:len(unit)], []byte(unit)) {
		return 0, 0, whole
	}
	spec := bytes.Trim(value[len(unit):], " \t")
	from, to, found := bytes.Cut(spec, []byte("-"))
	if !found {
		return 0, 0, whole
	}
	if len(from) == 0 {
		return parseSuffix(to, size)
	}
	first, valid := parsePosition(from)
	if !valid {
		return 0, 0, whole
	}
	last := size - 1
	if len(to) > 0 {
		last, valid = parsePosition(to)
		if !valid || last < first {
			return 0, 0, whole
		}
	}
	if first >= size {
		return 0, 0, unsatisfiable
	}
	return first, min(last, size-1) - first + 1, partial
}

// parseSuffix reads the N of bytes=-N: the last N bytes, or all if there are fewer. The last 0 bytes cannot be had; of
// an empty file any other suffix is all of it, which a Content-Range could not say.
func parseSuffix(b []byte, size int64) (first, n int64, verdict rangeVerdict) {
	n, valid := parsePosition(b)
	switch {
	case !valid:
		return 0, 0, whole
	case n == 0:
		return 0, 0, unsatisfiable
	case size == 0:
		return 0, 0, whole
	}
	n = min(n, size)
	return size - n, n, partial
}

// parsePosition reads 1*DIGIT. A number too long for any file is as good as the largest.
func parsePosition(b []byte) (n int64, valid bool) {
	const most = 1<<63 - 1
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if digit := int64(c - '0'); n > (most-digit)/10 {
			n = most
		} else {
			n = n*10 + digit
		}
	}
	return n, true
}
