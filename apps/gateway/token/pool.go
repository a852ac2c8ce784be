package token

import (
	"crypto/sha256"
	"sync"
)

// Check is a token whose signature takes too long for a loop: RS256 or ES256. The Verifier has found nothing else wrong
// with it. Whoever gets one calls Run, on any goroutine, and then gives it back to Settle of the same Verifier, on its own.
type Check struct {
	token  []byte
	sig    []byte
	digest [sha256.Size]byte
	keys   []*Key
	key    *Key // by which the signature is right
}

// check makes a Check of the token at hand, unless its claims are refused already: they cost less than a signature.
func (v *Verifier) check(token, signed []byte, alg Algorithm, named, nameless []int32, now int64) (*Check, Refusal) {
	c := &Check{digest: sha256.Sum256(signed)}
	for _, part := range [2][]int32{named, nameless} {
		for _, i := range part {
			if k := v.trust.Keys.keys[i]; k.Alg == alg && k.sigLen(len(v.sig)) {
				c.keys = append(c.keys, k)
			}
		}
	}
	if len(c.keys) == 0 {
		return nil, WrongMAC
	}
	if why := v.read(v.payload, &v.said); why != 0 {
		return nil, why
	}
	if _, _, why := v.judge(&v.said, now); why != 0 {
		return nil, why
	}
	if v.trust.Revoked.cover(v.said.id, v.said.subject, v.said.issued) {
		return nil, Revoked
	}
	c.token = append([]byte(nil), token...)
	c.sig = append([]byte(nil), v.sig...)
	return c, 0
}

// Run verifies the signature: some 30 µs for RS256, 60 for ES256.
func (c *Check) Run() {
	for _, k := range c.keys {
		if k.verifies(&c.digest, c.sig) {
			c.key = k
			return
		}
	}
}

// Settle ends a Check that has run: the token is judged as it would be now, with what may have been revoked meanwhile.
func (v *Verifier) Settle(c *Check, now int64) (*Grant, Refusal) {
	if c.key == nil {
		return nil, WrongMAC
	}
	v.adopt()
	if !v.trust.Keys.holds(c.key) {
		return nil, Revoked
	}
	if e := v.cache.find(c.token); e != nil { // the same token came twice before the first was verified
		if why := v.again(e, now); why != 0 {
			v.cache.drop(e)
			return nil, why
		}
		return &e.grant, 0
	}
	if _, why := v.split(c.token); why != 0 {
		panic("token: a token that was whole is so no more")
	}
	return v.accept(c.token, c.key, now)
}

// Pool runs Checks on goroutines of its own. Its queue is bounded: what finds it full is told so at once, and never waits.
type Pool struct {
	jobs   chan job
	wait   sync.WaitGroup
	mu     sync.RWMutex
	closed bool
}

type job struct {
	check *Check
	done  func(*Check)
}

// NewPool returns a Pool of workers goroutines, whose queue holds queue Checks besides those that are run.
func NewPool(workers, queue int) *Pool {
	p := &Pool{jobs: make(chan job, queue)}
	for range workers {
		p.wait.Go(p.work)
	}
	return p
}

func (p *Pool) work() {
	for j := range p.jobs {
		j.check.Run()
		j.done(j.check)
	}
}

// Try has c run, and then done called with it, on a goroutine of the Pool. It is false, and nothing is called, if the queue
// is full, or the Pool closed. Any goroutine may call it.
func (p *Pool) Try(c *Check, done func(*Check)) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	select {
	case p.jobs <- job{c, done}:
		return true
	default:
		return false
	}
}

// Close waits until all that was taken is done, and ends the goroutines.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	close(p.jobs)
	p.mu.Unlock()
	p.wait.Wait()
}
