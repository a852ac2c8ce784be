package store

// Rules are what an operator decides; the rest is the answers' to say.
type Rules struct {
	Bytes  int64 // bound of one cache, all counted
	Object int64 // largest content that is stored

	// Heuristic is the share of the time since Last-Modified for which an answer without any freshness counts as fresh, up
	// to a day, RFC 9111 §4.2.2, which names a tenth. 0: such an answer is not fresh.
	Heuristic float64

	Variants int   // most variants of one key; the oldest makes room
	Alone    int64 // ns for which nobody waits for a key whose answer could not be stored
}

// Filled returns r with what is not said filled in, but for Heuristic.
func (r Rules) Filled() Rules {
	if r.Bytes == 0 {
		r.Bytes = 64 << 20
	}
	if r.Object == 0 {
		r.Object = 1 << 20
	}
	r.Object = min(r.Object, r.Bytes/8)
	if r.Variants == 0 {
		r.Variants = 16
	}
	if r.Alone == 0 {
		r.Alone = 10e9
	}
	return r
}

const maxHeuristic = 24 * 3600 // seconds

// terms are on which an answer is kept. Durations are in ns.
type terms struct {
	lifetime int64 // how long it is fresh from its making
	age      int64 // how old it was when it was stored, RFC 9111 §4.2.3
	swr, sie int64 // how long beyond that it may be used while it is revalidated, or the upstream fails
	strict   bool  // never used stale, §4.2.4
	noCache  bool  // never used without validation, §5.2.2.4
	shared   bool  // may answer authorised requests, §3.5
	modified int64 // Last-Modified, else Date; seconds since 1970; unset if neither
	etag     span  // in the entry's lines
	lastMod  span
}

// span is a part of an entry's lines.
type span struct{ from, to int32 }

// response is what the lines of an answer say about storing it.
type response struct {
	cc                     Directives
	date, expires, lastMod int64 // seconds since 1970, unset if not said or unreadable
	saidExpires            bool
	age                    int64
	cookie                 bool
	varyAll                bool
	vary                   bool
}

// read reads the lines of an answer that arrived at wall, in seconds since 1970.
func (s *response) read(lines []byte, wall int64) {
	*s = response{cc: newDirectives(), date: unset, expires: unset, lastMod: unset}
	for len(lines) > 0 {
		var name, value []byte
		name, value, _, lines = cutLine(lines)
		switch len(name) {
		case len("age"):
			if foldEqual(name, "age") {
				s.age = max(0, parseDelta(value)) // what cannot be read is passed over, §5.1
			}
		case len("date"): // and vary
			if foldEqual(name, "date") {
				s.date = dateOr(value, wall)
			} else if foldEqual(name, "vary") {
				s.vary = true
				for item, rest := cutItem(value); ; item, rest = cutItem(rest) {
					s.varyAll = s.varyAll || string(item) == "*"
					if rest == nil {
						break
					}
				}
			}
		case len("expires"):
			if foldEqual(name, "expires") {
				if s.saidExpires {
					s.expires = unset // two of them: stale, §4.2.1
				} else {
					s.expires = dateOr(value, wall)
				}
				s.saidExpires = true
			}
		case len("set-cookie"):
			s.cookie = s.cookie || foldEqual(name, "set-cookie")
		case len("cache-control"): // and last-modified
			if foldEqual(name, "cache-control") {
				s.cc.parse(value)
			} else if foldEqual(name, "last-modified") {
				s.lastMod = dateOr(value, wall)
			}
		}
	}
}

func dateOr(value []byte, wall int64) int64 {
	t, ok := parseDate(value, wall)
	if !ok {
		return unset
	}
	return t
}

// understood are the status codes whose caching this cache implements, RFC 9111 §5.2.2.3, and all that it stores: final, not
// of a part, not of a validation.
func understood(status int) bool {
	return status >= 200 && status != 206 && status != 304 && status < 600
}

// heuristic are the status codes for which RFC 9110 §15.1 lets freshness be guessed.
func heuristic(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// judge says whether an answer may be stored (RFC 9111 §3), and on which terms. delay is the ns from asking to the answer.
func (r *Rules) judge(s *response, status int, authorized bool, wall, delay int64) (t terms, ok bool) {
	cc := &s.cc
	t.shared = cc.MustRevalidate || cc.Public || cc.SMaxAge != unset
	switch {
	case !understood(status) || cc.NoStore || cc.Private || s.varyAll:
		return t, false
	case authorized && !t.shared:
		return t, false
	case s.cookie && !cc.Public && cc.SMaxAge == unset:
		return t, false
	}
	if s.date == unset {
		s.date = wall // RFC 9110 §6.6.1
	}
	t.lifetime = toNanos(r.lifetime(s, status))
	apparent := max(0, wall-s.date)
	t.age = max(toNanos(apparent), toNanos(s.age)+delay)
	t.strict = cc.MustRevalidate || cc.ProxyRevalidate || cc.SMaxAge != unset || cc.NoCache // s-maxage: §5.2.2.10
	t.noCache = cc.NoCache
	if !t.strict {
		t.swr, t.sie = toNanos(max(0, cc.StaleRevalidate)), toNanos(max(0, cc.StaleError))
	}
	if t.modified = s.lastMod; t.modified == unset {
		t.modified = s.date // §4.3.2
	}
	return t, true
}

// lifetime is how long an answer is fresh, in seconds, RFC 9111 §4.2.1.
func (r *Rules) lifetime(s *response, status int) int64 {
	switch cc := &s.cc; {
	case cc.SMaxAge != unset:
		return cc.SMaxAge
	case cc.MaxAge != unset:
		return cc.MaxAge
	case s.saidExpires:
		if s.expires == unset {
			return 0 // "0" and whatever else is no date, §5.3
		}
		return max(0, s.expires-s.date)
	case r.Heuristic > 0 && s.lastMod != unset && (heuristic(status) || cc.Public):
		return min(int64(float64(max(0, s.date-s.lastMod))*r.Heuristic), maxHeuristic)
	}
	return 0
}

// useful reports whether an entry on these terms could ever answer or be validated.
func (t *terms) useful() bool {
	return t.lifetime > t.age && !t.noCache || t.swr > 0 || t.sie > 0 || t.etag.to > 0 || t.lastMod.to > 0
}
