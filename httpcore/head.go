package httpcore

// Head is a parsed request head: request line and fields as views into the bytes that Parse was given.
type Head struct {
	method Method
	// filled in by the parser
}

// Verdict is what Parse says.
//
// Parse reads a head from b, which always begins at the head's first byte and holds all of its bytes so far; a call
// with more bytes resumes where the last one stopped, and b may have moved in between. It returns the head's length
// once it is whole, 0 while it is not, and an *Error if it is no valid head.
func (h *Head) Parse(b []byte, l *Limits) (n int, err *Error) { return 0, nil }

// Reset makes h ready for a new head.
func (h *Head) Reset() {}

// Rebase tells h that its bytes now lie in b.
func (h *Head) Rebase(b []byte) {}

func (h *Head) Method() Method                     { return h.method }
func (h *Head) MethodName() []byte                 { return nil }
func (h *Head) Target() []byte                     { return nil }
func (h *Head) Path() []byte                       { return nil }
func (h *Head) Query() []byte                      { return nil }
func (h *Head) Host() []byte                       { return nil }
func (h *Head) Minor() int                         { return 1 }
func (h *Head) Field(name string) ([]byte, bool)   { return nil, false }
func (h *Head) NumFields() int                     { return 0 }
func (h *Head) FieldAt(i int) (name, value []byte) { return nil, nil }
