package lab

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"syscall"
	"time"

	"corelab/apps/precondition"
	"corelab/httpcore"
)

var (
	badPath            = badRequest("the path is not percent-encoded rightly, or holds a NUL")
	preconditionFailed = httpcore.Reply{Status: 412, Type: textType, Body: []byte("the file is not the one that the request names\n")}
	tooManyFiles       = httpcore.Reply{Status: 503, Type: textType, Fields: "Retry-After: 1\r\n", Body: []byte("too many open files\n")}
)

// files serves the files under a root. The root is an os.Root: no name, and no symbolic link on the way, leads out of it.
type files struct{ root *os.Root }

// representation is a file as a client sees it.
type representation struct {
	size                    int64
	precondition.Validators // the entity tag is strong
}

func (f files) serve(x *httpcore.Exchange) {
	name, valid := decodePath(x.Param("path"))
	if !valid {
		x.Reply(&badPath)
		return
	}
	file, info, err := f.open(name)
	if err != nil {
		replyOpenError(x, err)
		return
	}
	now := time.Now()
	rep := represent(info, now)
	switch precondition.Evaluate(x, rep.Validators, now) {
	case precondition.Proceed:
		replyFile(x, file, name, &rep, now)
	case precondition.Unchanged:
		// The file goes along for its length: a 304 may announce only the length that a 200 would have (RFC 9110 §8.6).
		x.Reply(&httpcore.Reply{Status: 304, Fields: "ETag: " + rep.ETag + "\r\n", File: file, Len: rep.size})
	case precondition.Failed:
		_ = file.Close() // it was only read
		x.Reply(&preconditionFailed)
	}
}

// open opens a regular file of the root. Anything else there is as good as absent.
func (f files) open(name string) (*os.File, fs.FileInfo, error) {
	if f.root == nil || !fs.ValidPath(name) {
		return nil, nil, fs.ErrNotExist
	}
	// O_NONBLOCK: a FIFO without a writer must not stop the loop; a regular file does not know it.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = file.Close() // it was only read
		return nil, nil, err
	}
	return file, info, nil
}

// replyOpenError tells a file that cannot be had now, for want of descriptors, from one that is not there for anyone.
func replyOpenError(x *httpcore.Exchange, err error) {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		x.Reply(&tooManyFiles)
		return
	}
	x.Reply(&notFound)
}

// represent makes the validators of a file: an entity tag of its time and size, and Last-Modified, which must not lie
// after the Date of the reply (RFC 9110 §8.8.2.1).
func represent(info fs.FileInfo, now time.Time) representation {
	modified := info.ModTime()
	etag := `"` + strconv.FormatInt(modified.UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36) + `"`
	if modified.After(now) {
		modified = now
	}
	return representation{info.Size(), precondition.Validators{ETag: etag, Modified: modified.UTC().Truncate(time.Second)}}
}

// replyFile answers the file or, where a valid Range asks for it, a part. A range means something for GET alone
// (RFC 9110 §14.2).
func replyFile(x *httpcore.Exchange, file *os.File, name string, rep *representation, now time.Time) {
	r := httpcore.Reply{Type: mediaType(name), Fields: rep.fields(), File: file, Len: rep.size}
	if value, found := x.Field("Range"); found && x.Method() == httpcore.MethodGet && precondition.Range(x, rep.Validators, now) {
		first, n, verdict := parseRange(value, rep.size)
		switch verdict {
		case partial:
			r.Status, r.Off, r.Len = 206, first, n
			r.Fields += "Content-Range: bytes " + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(first+n-1, 10) +
				"/" + strconv.FormatInt(rep.size, 10) + "\r\n"
		case unsatisfiable:
			_ = file.Close() // it was only read
			r = httpcore.Reply{Status: 416, Type: textType, Body: []byte("the range begins after the end\n"),
				Fields: "Content-Range: bytes */" + strconv.FormatInt(rep.size, 10) + "\r\n"}
		}
	}
	x.Reply(&r)
}

func (rep *representation) fields() string {
	date := httpcore.FormatDate(rep.Modified)
	return "Last-Modified: " + string(date[:]) + "\r\nETag: " + rep.ETag + "\r\nAccept-Ranges: bytes\r\n"
}

// decodePath undoes percent-encoding. It refuses what is encoded wrongly and NUL; an encoded slash is no separator but
// part of a name that no file has, so that the result is refused by fs.ValidPath.
func decodePath(p []byte) (string, bool) {
	b := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '%' {
			if i+2 >= len(p) {
				return "", false
			}
			high, low := unhex(p[i+1]), unhex(p[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			c = byte(high<<4 | low)
			if c == '/' {
				b = append(b, "//"...)
			}
			i += 2
		}
		if c == 0 {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// mediaType returns the Content-Type for a file's name.
func mediaType(name string) string {
	if t, found := mediaTypes[path.Ext(name)]; found {
		return t
	}
	return octetsType
}

var mediaTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".csv":   "text/csv; charset=utf-8",
	".gif":   "image/gif",
	".htm":   "text/html; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".ico":   "image/x-icon",
	".jpeg":  "image/jpeg",
	".jpg":   "image/jpeg",
	".js":    "text/javascript; charset=utf-8",
	".json":  jsonType,
	".md":    "text/markdown; charset=utf-8",
	".mjs":   "text/javascript; charset=utf-8",
	".mp4":   "video/mp4",
	".pdf":   "application/pdf",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".txt":   textType,
	".wasm":  "application/wasm",
	".webm":  "video/webm",
	".webp":  "image/webp",
	".woff":  "font/woff",
	".woff2": "font/woff2",
	".xml":   "application/xml",
}
