package gateway

import (
	"crypto/sha256"
	"errors"
	"hash"

	"corelab/apps/gateway/permit"
	"corelab/apps/gateway/token"
)

// Enter implements Stage. Of several credentials the strongest that the route takes counts, and it must be good: a bad one
// is not made up for by another.
func (a *auth) Enter(r *Request) Verdict {
	if identity := a.realm.config.Identity; identity != "" {
		r.ToUpstream.Drop(identity)
	}
	c := credentialsOf(r, a.keyField)
	switch {
	case a.signed && c.signature:
		return a.bySignature(r)
	case a.jwt && c.bearers > 0:
		if c.bearers > 1 || c.other || len(c.bearer) == 0 {
			return a.refuse(r, &a.answers.badRequest)
		}
		return a.byToken(r, c.bearer)
	case a.key && c.keys > 0:
		if c.keys > 1 {
			return a.refuse(r, &a.answers.badRequest)
		}
		return a.byKey(r, c.key)
	case a.optional:
		return Next
	}
	return a.refuse(r, &a.answers.missing)
}

func (a *auth) refuse(r *Request, answer *Answer) Verdict {
	r.Answer(answer)
	return Done
}

// now is the wall time of a request, in Unix nanoseconds.
func (a *auth) now(r *Request) int64 {
	at := r.loop.Now()
	w := a.realm.clock.Of(r.Shard)
	w.read(at)
	return at + w.unix
}

func (a *auth) byKey(r *Request, key []byte) Verdict {
	owner, found := a.realm.keys.Find(key, a.now(r))
	if !found {
		return a.refuse(r, &a.answers.badKey)
	}
	if a.hide {
		r.ToUpstream.Drop(a.keyField)
	}
	return a.known(r, owner)
}

// known goes on with a request of an owner of a key or a secret.
func (a *auth) known(r *Request, owner int) Verdict {
	who := a.realm.owners[owner]
	copy(r.Auth.credential[:], a.realm.digests[owner][:])
	for _, n := range a.needs {
		var args [maxNeedParams][]byte
		if !who.may.Allows(n, argsOf(r, n, &args)...) {
			return a.refuse(r, &a.answers.forbidden)
		}
	}
	return a.pass(r, who)
}

// argsOf are the values of a permission's parameters, percent-encoded as they were sent.
func argsOf(r *Request, n *permit.Need, into *[maxNeedParams][]byte) [][]byte {
	for i, name := range n.Params {
		into[i] = r.Routed.Params.Get(r.X.Path(), name)
	}
	return into[:len(n.Params)]
}

// pass tells the later stages, and the upstream, who asks.
func (a *auth) pass(r *Request, who *Consumer) Verdict {
	r.Consumer = who
	if identity := a.realm.config.Identity; identity != "" {
		r.ToUpstream.Add(identity, who.text)
	}
	return Next
}

func (a *auth) byToken(r *Request, bearer []byte) Verdict {
	if len(bearer) > maxBearer {
		return a.refuse(r, &a.answers.tokens[token.TooLong])
	}
	v := a.realm.tokens.verifiers.Of(r.Shard)
	grant, check, why := v.Verify(bearer, a.now(r))
	if check == nil {
		return a.granted(r, grant, why)
	}
	// The signature is verified off the loop. The callback finds the request by its handle, if it is still there.
	w, loop := r.Handle(), r.loop
	if !a.realm.tokens.service.pool.Try(check, func(c *token.Check) {
		w.Post(loop, func(r *Request) {
			r.Auth.check = c
			w.Resume()
		})
	}) {
		return a.refuse(r, &a.answers.busy)
	}
	r.Wait()
	return Wait
}

// Resumed implements Waiting: a signature was verified.
func (a *auth) Resumed(r *Request) Verdict {
	grant, why := a.realm.tokens.verifiers.Of(r.Shard).Settle(r.Auth.check, a.now(r))
	r.Auth.check = nil
	return a.granted(r, grant, why)
}

// granted goes on with what a token says.
func (a *auth) granted(r *Request, grant *token.Grant, why token.Refusal) Verdict {
	if why != 0 {
		t := a.realm.tokens
		if why == token.UnknownKey && t.service.wanted() {
			return a.refuse(r, &a.answers.busy)
		}
		return a.refuse(r, &a.answers.tokens[why])
	}
	for _, n := range a.needs {
		var args [maxNeedParams][]byte
		if !permit.Listed(grant.Scope, n, argsOf(r, n, &args)...) {
			return a.refuse(r, &a.answers.forbidden)
		}
	}
	who, ok := grant.Note.(*subject)
	if !ok || who.realm != a.realm {
		who = a.realm.bearer(r.Shard, grant.Subject)
		grant.Note = who
	}
	r.Auth.credential = who.digest
	if a.hide {
		r.ToUpstream.Drop("Authorization")
	}
	return a.pass(r, who.Consumer)
}

// subject is a token's subject as a consumer of a configuration.
type subject struct {
	*Consumer
	realm  *realm
	digest [8]byte
}

// subjects are those that a shard has seen. What is in it was signed; when there are too many it begins anew.
type subjects struct{ byName map[string]*subject }

// bearer returns the consumer of a subject: the configured one, or one who is known by nothing but the name.
func (rm *realm) bearer(s *Shard, name []byte) *subject {
	seen := rm.tokens.subjects.Of(s)
	if known := seen.byName[string(name)]; known != nil && known.realm == rm {
		return known
	}
	if len(seen.byName) >= maxSubjects {
		clear(seen.byName)
	}
	who := rm.subjects[string(name)]
	if who == nil {
		who = &Consumer{Name: string(name), text: append([]byte(nil), name...)}
	}
	sum := sha256.Sum256(name)
	known := &subject{who, rm, [8]byte(sum[:8])}
	seen.byName[string(name)] = known
	return known
}

func (a *auth) bySignature(r *Request) Verdict {
	ok, why := a.realm.signed.Of(r.Shard).Verify(r.X, a.now(r))
	if why != 0 {
		return a.refuse(r, &a.answers.signatures[why])
	}
	if ok.HasBody {
		r.guard = &contentSum{a: a, want: ok.Content, left: r.X.ContentLength(), hash: sha256.New()}
	}
	if a.hide {
		r.ToUpstream.Drop("Signature-Input")
		r.ToUpstream.Drop("Signature")
	}
	return a.known(r, ok.Owner)
}

// Leave implements Stage.
func (a *auth) Leave(*Request, *Outcome) {}

// errContent says that the content of a signed request is not what was signed.
var errContent = errors.New("the content is not what was signed")

// contentSum holds the content of a signed request against its digest, as it goes by. Its last piece, or its end where the
// length is not announced, is kept back until the digest is right, so that no upstream gets a whole request that is not.
type contentSum struct {
	a    *auth
	want [sha256.Size]byte
	left int64 // of an announced length; below 0 where there is none
	hash hash.Hash
}

// Piece implements Guard.
func (c *contentSum) Piece(r *Request, p []byte) bool {
	c.hash.Write(p)
	if c.left < 0 {
		return true
	}
	c.left -= int64(len(p))
	return c.left > 0 || c.End(r)
}

// End implements Guard.
func (c *contentSum) End(r *Request) bool {
	var sum [sha256.Size]byte
	if [sha256.Size]byte(c.hash.Sum(sum[:0])) == c.want { // no secret: the client knows it
		return true
	}
	if r.Answered() {
		r.Drop(errContent)
	} else {
		r.Answer(&c.a.answers.badContent)
	}
	return false
}
