package target

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Work is what a gateway does with a request besides passing it on: one line of Works. A scenario of a gateway names the
// works that it asks of each target; who cannot do one has no row there.
type Work struct {
	Name string // "jwt"
	Doc  string // what is done, for people
	// Header are the field lines that a client must send to be let through.
	Header []string
}

// Names of the works that configurations are written for.
const (
	WorkBare      = "bare"
	WorkNull      = "null"
	WorkKey       = "key"
	WorkJWT       = "jwt"
	WorkLimit     = "limit"
	WorkBreaker   = "breaker"
	WorkCache     = "cache"
	WorkBalance   = "balance"
	WorkObserve   = "observe"
	WorkLog       = "log"
	WorkTransform = "transform"
	WorkAll       = "all"
	WorkKeyLimit  = "key-limit"
	WorkDead      = "dead"
	WorkApart     = "apart"
	WorkStalled   = "stalled"

	workRoutes = "routes-" // and how many
)

// Works is every work there is. A new one is one line here, and a line in each configuration that can do it.
var Works = []Work{
	{WorkBare, "passes requests on over kept connections, with X-Forwarded-For, X-Real-IP and X-Forwarded-Proto", nil},
	{WorkNull, "bare, and a stage that does nothing: the control", nil},
	{WorkKey, "bare, and an API key looked up", []string{"X-API-Key: " + workKey}},
	{WorkJWT, "bare, and a JWT (HS256) verified, or found among those verified before", []string{"Authorization: Bearer " + workToken()}},
	{WorkLimit, "bare, and a token bucket for each client address, which never runs dry", nil},
	{WorkBreaker, "bare, and a circuit breaker, which stays closed", nil},
	{WorkCache, "bare, and a cache that answers all but the first request", nil},
	{WorkBalance, "bare, over two upstreams in turn", nil},
	{WorkObserve, "bare, and counters and a histogram by route", nil},
	{WorkLog, "bare, and an access log, written in batches to a file", nil},
	{WorkTransform, "bare, with two fields set and one taken off, and the path's prefix replaced", nil},
	{WorkAll, "jwt, limit, breaker, balance, observe and log together", []string{"Authorization: Bearer " + workToken()}},
	{WorkKeyLimit, "key and limit together: what production gateways publish figures of", []string{"X-API-Key: " + workKey}},
	{WorkDead, "balance, one of the two upstreams dead: it refuses connections", nil},
	{WorkApart, "bare, three upstreams, each for a path of its own; other clients ask the third one", nil},
	{WorkStalled, "apart, and the third upstream has stopped: it takes what it is asked and never answers", nil},
	{workRoutes + "10", "bare, the route found among 10", nil},
	{workRoutes + "1000", "bare, the route found among 1,000", nil},
	{workRoutes + "100000", "bare, the route found among 100,000", nil},
}

// FindWork returns the work of that name.
func FindWork(name string) (Work, bool) {
	i := slices.IndexFunc(Works, func(w Work) bool { return w.Name == name })
	if i < 0 {
		return Work{}, false
	}
	return Works[i], true
}

// WorkNames lists them.
func WorkNames() []string {
	names := make([]string, len(Works))
	for i, w := range Works {
		names[i] = w.Name
	}
	return names
}

// Front says that a target stands in front of others instead of answering by itself.
type Front struct {
	Work      string   // one of Works
	Upstreams []string // "127.0.0.1:40000", as many as UpstreamsOf says
	brief     bool     // for a description: only the first of many routes
}

// UpstreamsOf is how many servers stand behind a gateway that does the work.
func UpstreamsOf(work string) int {
	if work == WorkApart || work == WorkStalled {
		return 1 + len(apartPaths)
	}
	return 2
}

// apartPaths are the paths of the upstreams but the first, where each has one of its own. The last one's is [NeighbourPath].
var apartPaths = []string{"/json", NeighbourPath}

// NeighbourPath is what other clients ask for where upstreams are apart: it leads to the last of them.
const NeighbourPath = "/plaintext"

// apart are those paths with their upstreams, where the work is about that.
func (f *Front) apart() iter.Seq2[string, string] {
	return func(yield func(path, upstream string) bool) {
		if UpstreamsOf(f.Work) == 2 {
			return
		}
		for i, path := range apartPaths {
			if !yield(path, f.Upstreams[1+i]) {
				return
			}
		}
	}
}

// does reports whether the work includes the part: a work that is one thing, or all.
func (f *Front) does(part string) bool {
	switch part {
	case WorkKey:
		return f.Work == part || f.Work == WorkKeyLimit
	case WorkLimit:
		return f.Work == part || f.Work == WorkKeyLimit || f.Work == WorkAll
	case WorkJWT, WorkBreaker, WorkObserve, WorkLog:
		return f.Work == part || f.Work == WorkAll
	case WorkBalance:
		return f.Work == part || f.Work == WorkAll || f.Work == WorkDead
	}
	return f.Work == part
}

// upstreams are those that the work uses.
func (f *Front) upstreams() []string {
	switch {
	case f.Work == WorkDead:
		return []string{f.Upstreams[0], deadUpstream}
	case f.does(WorkBalance):
		return f.Upstreams
	}
	return f.Upstreams[:1]
}

// deadUpstream is an address on which nobody listens: port 1 is given to a protocol that nobody speaks.
const deadUpstream = "127.0.0.1:1"

// routes is how many there are.
func (f *Front) routes() int {
	count, _ := strconv.Atoi(strings.TrimPrefix(f.Work, workRoutes))
	return max(count, 1)
}

// briefRoutes is how many of the others a description shows.
const briefRoutes = 2

// more is how many of the others a description leaves out.
func (f *Front) more() int {
	if !f.brief {
		return 0
	}
	return max(f.routes()-1-briefRoutes, 0)
}

// others are the paths of the routes beside the one that is asked, each a prefix: none of most works, so many less one of
// the works that are about finding a route.
func (f *Front) others() iter.Seq[string] {
	count := f.routes() - 1 - f.more()
	return func(yield func(string) bool) {
		for i := 1; i <= count; i++ {
			if !yield(fmt.Sprintf("/tenants/t%d/orders/", i)) {
				return
			}
		}
	}
}

// The secrets of the lab's clients: they protect nothing but a benchmark on loopback.
const (
	workKey     = "corelab-bench-key-0123456789abcdef"
	workSecret  = "corelab-bench-secret-0123456789abcdef0123456789"
	workPrefix  = "/api" // that the work transform takes off
	workSubject = "bench"
)

// workRate is the rate of the bucket of the work limit: no generator reaches it.
const workRate = 1_000_000

// workToken is a JWT that does not expire while anybody measures: it ends in 2099.
func workToken() string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		encode(fmt.Appendf(nil, `{"sub":%q,"iss":"corelab","exp":4070908800}`, workSubject))
	mac := hmac.New(sha256.New, []byte(workSecret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

// only returns why a target that does the listed works cannot do another one, or "".
func only(name string, works ...string) func(work string) string {
	return func(work string) string {
		if slices.Contains(works, work) {
			return ""
		}
		return fmt.Sprintf("%s is set up here for %s only", name, strings.Join(works, ", "))
	}
}
