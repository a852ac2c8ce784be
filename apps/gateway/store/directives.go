package store

// maxDelta is the most seconds that a directive can say, RFC 9111 §1.2.2; also what overflows.
const maxDelta = 1 << 31

// unset is a number of seconds that was not said.
const unset = -1

// Directives are what Cache-Control said, RFC 9111 §5.2. Those with seconds are unset where they were not said. The same
// directive in contradiction with itself counts as 0 seconds: stale (§4.2.1).
type Directives struct {
	MaxAge, SMaxAge, MaxStale, MinFresh int64
	StaleRevalidate, StaleError         int64 // RFC 5861 §3, §4

	NoCache, NoStore, Private, Public bool
	MustRevalidate, ProxyRevalidate   bool
	MustUnderstand, OnlyIfCached      bool

	found bool
}

// newDirectives returns those of a message without Cache-Control.
func newDirectives() Directives {
	return Directives{MaxAge: unset, SMaxAge: unset, MaxStale: unset, MinFresh: unset, StaleRevalidate: unset, StaleError: unset}
}

// parse takes the value of one Cache-Control line: a list of token [ "=" ( token / quoted-string ) ]. What it does not know,
// and what is no directive, is passed over (§5.2.3).
func (d *Directives) parse(list []byte) {
	d.found = true
	for len(list) > 0 {
		name, arg, quoted, rest := cutDirective(list)
		list = rest
		d.take(name, arg, quoted)
	}
}

func (d *Directives) take(name, arg []byte, quoted bool) {
	switch {
	case foldEqual(name, "max-age"):
		seconds(&d.MaxAge, arg)
	case foldEqual(name, "s-maxage"):
		seconds(&d.SMaxAge, arg)
	case foldEqual(name, "no-cache"):
		d.NoCache = true
	case foldEqual(name, "no-store"):
		d.NoStore = true
	case foldEqual(name, "private"):
		d.Private = true
	case foldEqual(name, "public"):
		d.Public = true
	case foldEqual(name, "must-revalidate"):
		d.MustRevalidate = true
	case foldEqual(name, "proxy-revalidate"):
		d.ProxyRevalidate = true
	case foldEqual(name, "must-understand"):
		d.MustUnderstand = true
	case foldEqual(name, "only-if-cached"):
		d.OnlyIfCached = true
	case foldEqual(name, "stale-while-revalidate"):
		seconds(&d.StaleRevalidate, arg)
	case foldEqual(name, "stale-if-error"):
		seconds(&d.StaleError, arg)
	case foldEqual(name, "min-fresh"):
		seconds(&d.MinFresh, arg)
	case foldEqual(name, "max-stale"):
		if len(arg) == 0 && !quoted {
			d.MaxStale = maxDelta // of any age, §5.2.1.2
			return
		}
		seconds(&d.MaxStale, arg)
	}
}

// seconds notes a number of seconds. One that is none, or differs from the one before, makes it 0.
func seconds(to *int64, arg []byte) {
	n := parseDelta(arg)
	if n == unset || *to != unset && *to != n {
		n = 0
	}
	*to = n
}

// parseDelta reads delta-seconds, or returns unset.
func parseDelta(b []byte) int64 {
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return unset
		}
		if n = n*10 + int64(c-'0'); n > maxDelta {
			n = maxDelta
		}
	}
	if len(b) == 0 {
		return unset
	}
	return n
}

// cutDirective cuts the first directive off a list. In a quoted argument neither commas nor what a backslash precedes end
// anything; its bytes are returned as they stand there.
func cutDirective(list []byte) (name, arg []byte, quoted bool, rest []byte) {
	i := 0
	for i < len(list) && list[i] != ',' && list[i] != '=' {
		i++
	}
	name = trim(list[:i])
	if i == len(list) || list[i] == ',' {
		return name, nil, false, list[min(i+1, len(list)):]
	}
	i++
	for i < len(list) && (list[i] == ' ' || list[i] == '\t') {
		i++
	}
	if i < len(list) && list[i] == '"' {
		quoted = true
		from := i + 1
		for i = from; i < len(list) && list[i] != '"'; i++ {
			if list[i] == '\\' {
				i++
			}
		}
		i = min(i, len(list))
		arg = list[from:i]
		for i < len(list) && list[i] != ',' {
			i++
		}
	} else {
		from := i
		for i < len(list) && list[i] != ',' {
			i++
		}
		arg = trim(list[from:i])
	}
	return name, arg, quoted, list[min(i+1, len(list)):]
}

// toNanos turns seconds into nanoseconds, such that a few of them can be added.
func toNanos(seconds int64) int64 { return min(seconds, maxDelta) * 1e9 }
