package httpcore

// Exchange is one request and its answer, as a route's function sees it. It belongs to its connection: neither it nor a
// slice that it returns may be kept after the function returns, unless the exchange is held ([Exchange.Hold]), and then
// until the reply. All its methods are for the owner of the connection.
type Exchange struct {
	c *Conn
}

// Method returns the request method; an extension method of no Route never gets here.
func (x *Exchange) Method() Method { return x.c.head.method }

// Target returns the request target as it was sent, RFC 9112 §3.2.
func (x *Exchange) Target() []byte { return x.c.head.Target() }

// Path returns the path of the target, percent-encoded as it was sent.
func (x *Exchange) Path() []byte { return x.c.head.Path() }

// Query returns the target's query without its '?', percent-encoded as it was sent.
func (x *Exchange) Query() []byte { return x.c.head.Query() }

// Param returns the path parameter name of the route's pattern, percent-encoded as it was sent; nil if there is none.
func (x *Exchange) Param(name string) []byte { return x.c.params.get(x.c.head.Path(), name) }

// Field returns the value of the first field line of that name, in any case, and whether there is one.
func (x *Exchange) Field(name string) ([]byte, bool) { return x.c.head.Field(name) }

// NumFields returns the number of field lines.
func (x *Exchange) NumFields() int { return x.c.head.NumFields() }

// FieldAt returns field line i as sent, without the white space around its value.
func (x *Exchange) FieldAt(i int) (name, value []byte) { return x.c.head.FieldAt(i) }

// Host returns the authority that the request is for: of an absolute-form target, else the Host field.
func (x *Exchange) Host() []byte { return x.c.head.Host() }

// Minor returns 1 for HTTP/1.1 and 0 for HTTP/1.0.
func (x *Exchange) Minor() int { return x.c.head.Minor() }
