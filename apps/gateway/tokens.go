package gateway

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"corelab/apps/gateway/settings"
	"corelab/apps/gateway/token"
)

// JWTConfig says which tokens are taken: auth.jwt.
type JWTConfig struct {
	Keys      []*JWTKeyConfig   `toml:"keys"`
	Issuer    string            `toml:"issuer"`    // none: any
	Audiences []string          `toml:"audiences"` // that this gateway answers to; none: tokens must name none
	Type      string            `toml:"type"`      // typ; none: any
	Scope     string            `toml:"scope"`     // the claim with permissions; "scope"
	Leeway    settings.Duration `toml:"leeway"`
	MaxAge    settings.Duration `toml:"max_age"` // since iat; none: any
	Eternal   bool              `toml:"eternal"` // tokens without exp are taken
	Revoked   string            `toml:"revoked"` // a file of revocations, see token.ParseRevocations
	Refresh   settings.Duration `toml:"refresh"` // how often files are looked at; 5s
	Cache     *int              `toml:"cache"`   // verified tokens that a shard keeps; 4096
	Workers   int               `toml:"workers"` // that verify RS256 and ES256; one for each CPU
	Queue     int               `toml:"queue"`   // tokens that may wait for them; 1024. Beyond that the answer is 503
}

// JWTKeyConfig is where keys are: one of auth.jwt.keys.
type JWTKeyConfig struct {
	ID     string            `toml:"id"`     // kid of secret and pem; none: any token may mean it
	Secret *settings.Secret  `toml:"secret"` // of HS256
	PEM    string            `toml:"pem"`    // a file of public keys
	Set    string            `toml:"set"`    // a file with a JWK set
	URL    string            `toml:"url"`    // of a JWK set: https, or http on this machine
	CA     string            `toml:"ca"`     // a file of certificates to trust for url, instead of the system's
	Every  settings.Duration `toml:"every"`  // how often url is asked; 5m
}

// Bounds and defaults of tokens.
const (
	defaultRefresh = 5 * time.Second
	defaultEvery   = 5 * time.Minute
	defaultCache   = 4096
	maxCache       = 1 << 20
	defaultChecks  = 1024
	maxChecks      = 1 << 16
	maxCheckers    = 64
	maxKeyFile     = 64 << 20 // bytes
	hurryEvery     = 10 * time.Second
)

// tokens is how a configuration takes tokens.
type tokens struct {
	service   *tokenService
	verifiers Kept[token.Verifier]
	subjects  Kept[subjects]
}

// buildTokens compiles auth.jwt.
func buildTokens(b *Builder, c *JWTConfig) *tokens {
	const at = "auth.jwt"
	rules := token.Rules{Issuer: c.Issuer, Audiences: c.Audiences, Type: c.Type, Scope: c.Scope, Leeway: time.Duration(c.Leeway),
		MaxAge: time.Duration(c.MaxAge), Eternal: c.Eternal, MaxBytes: maxBearer}
	cache := defaultCache
	if c.Cache != nil {
		cache = *c.Cache
	}
	if cache < 0 || cache > maxCache {
		b.Fault(at+".cache", "cache is from 0 to %d", maxCache)
		cache = 0
	}
	if c.Workers < 0 || c.Workers > maxCheckers || c.Queue < 0 || c.Queue > maxChecks {
		b.Fault(at, "workers are up to %d, and queue up to %d", maxCheckers, maxChecks)
		return nil
	}
	if len(c.Keys) == 0 {
		b.Fault(at, "there is no key, and no default; write [[auth.jwt.keys]] with secret, pem, set or url")
	}
	sources := make([]*keySource, 0, len(c.Keys))
	text := fmt.Sprintf("%q %v %d %d", c.Revoked, c.Refresh.Or(defaultRefresh), c.Workers, c.Queue)
	for i, kc := range c.Keys {
		s := kc.compile(b, fmt.Sprintf("%s.keys.%d", at, i))
		sources = append(sources, s)
		text += s.settings
	}
	if !b.sound() {
		return nil
	}
	t := &tokens{}
	t.service = Share(b, "tokens", "", text, func() *tokenService { return newTokenService(c, sources) })
	if err := t.service.read(true); err != nil {
		b.Fault(at, "%v", err)
		return nil
	}
	service := t.service
	t.verifiers = Keep(b, "auth jwt", fmt.Sprintf("%p %d %+v", service, cache, rules), func(*Shard) *token.Verifier {
		return token.NewVerifier(rules, service.anchor, cache)
	})
	t.subjects = Keep(b, "auth subjects", "", func(*Shard) *subjects { return &subjects{map[string]*subject{}} })
	return t
}

// compile reads where keys come from.
func (kc *JWTKeyConfig) compile(b *Builder, at string) *keySource {
	s := &keySource{at: at, id: kc.ID, pem: kc.PEM, set: kc.Set, every: kc.Every.Or(defaultEvery)}
	given := 0
	for _, is := range []bool{kc.Secret != nil, kc.PEM != "", kc.Set != "", kc.URL != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		b.Fault(at, "one of secret, pem, set and url")
		return s
	}
	s.settings = fmt.Sprintf("\n%q %q %q %q %q %v", kc.ID, kc.PEM, kc.Set, kc.URL, kc.CA, s.every)
	switch {
	case kc.Secret != nil:
		secret, err := kc.Secret.Get()
		if err != nil {
			b.Fault(at+".secret", "%v", err)
			return s
		}
		k, err := token.Secret(kc.ID, []byte(secret))
		if err == nil {
			s.ring, err = token.NewKeyring(k)
		}
		if err != nil {
			b.Fault(at+".secret", "%v", err)
			return s
		}
		s.settings += fmt.Sprintf(" %x", s.ring.Print())
	case kc.URL != "":
		var err error
		if s.remote, err = parseRemote(kc.URL, kc.CA); err != nil {
			b.Fault(at+".url", "%v", err)
		}
		if s.every < hurryEvery {
			b.Fault(at+".every", "at least %v", hurryEvery)
		}
	}
	return s
}

// keySource is where keys come from.
type keySource struct {
	at, id, settings string
	pem, set         string
	remote           *remote
	every            time.Duration
	ring             *token.Keyring // the last one; nil if there was none yet. The service's mu guards it, and what follows
	stamp            string         // of the file
	due              time.Time      // when url is asked again
}

// tokenService keeps the keys and revocations of the process up to date, and verifies what takes long.
type tokenService struct {
	anchor  *token.Anchor
	pool    *token.Pool
	sources []*keySource
	revoked string
	refresh time.Duration

	mu        sync.Mutex // of read
	stamp     string     // of the revocations
	list      *token.Revocations
	failed    atomic.Pointer[string] // why a file could not be read last; nil if all could
	unfetched atomic.Pointer[string] // and a url
	without   atomic.Bool            // a url has not answered yet
	hurry     chan struct{}          // a token names a key that is not known
	stop      chan struct{}
	ended     sync.WaitGroup
}

func newTokenService(c *JWTConfig, sources []*keySource) *tokenService {
	workers, queue := c.Workers, c.Queue
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if queue == 0 {
		queue = defaultChecks
	}
	empty, err := token.NewKeyring()
	if err != nil {
		panic("gateway: a keyring without keys is refused: " + err.Error())
	}
	t := &tokenService{anchor: token.NewAnchor(&token.Trust{Keys: empty}), pool: token.NewPool(workers, queue), sources: sources,
		revoked: c.Revoked, refresh: c.Refresh.Or(defaultRefresh), hurry: make(chan struct{}, 1), stop: make(chan struct{})}
	for _, s := range sources {
		if s.remote != nil {
			t.without.Store(true)
		}
	}
	return t
}

// Start implements Starter.
func (t *tokenService) Start(*Gateway) {
	t.ended.Go(t.work)
}

// Close implements io.Closer. Checks that requests still wait for are done first, in the background.
func (t *tokenService) Close() error {
	close(t.stop)
	t.ended.Go(t.pool.Close)
	return nil
}

// Wait waits until nothing of the service works any more.
func (t *tokenService) Wait() { t.ended.Wait() }

// Collect implements Collector.
func (t *tokenService) Collect(m *Metrics) {
	m.Gauge("gateway_jwt_keys", "Keys that tokens are verified by.", "", float64(t.anchor.Load().Keys.Len()))
	m.Gauge("gateway_jwt_keys_failed", "1 while keys or revocations could not be read or fetched when they were looked at last.", "",
		float64(btoi(t.failed.Load() != nil || t.unfetched.Load() != nil)))
}

// wanted says that a token names a key that is not there: a url may have it by now. It reports whether one has never
// answered, so that nothing can be said of the token.
func (t *tokenService) wanted() bool {
	select {
	case t.hurry <- struct{}{}:
	default:
	}
	return t.without.Load()
}

// work looks at files and urls until it is stopped.
func (t *tokenService) work() {
	tick := time.NewTicker(t.refresh)
	defer tick.Stop()
	t.fetch(true)
	last := time.Now()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
			t.fetch(false)
		case <-t.hurry:
			if time.Since(last) < hurryEvery && !t.without.Load() {
				continue
			}
			t.fetch(true)
			last = time.Now()
		}
		note(&t.failed, t.read(false))
	}
}

// note remembers what went wrong last.
func note(where *atomic.Pointer[string], err error) {
	if err == nil {
		where.Store(nil)
		return
	}
	text := err.Error()
	where.Store(&text)
}

// fetch asks the urls that are due, or all of them, and takes over what they say. What fails leaves the keys as they were.
func (t *tokenService) fetch(all bool) {
	var failed error
	asked, without := false, false
	for _, s := range t.sources {
		if s.remote == nil {
			continue
		}
		t.mu.Lock()
		due := all || time.Now().After(s.due)
		t.mu.Unlock()
		if due {
			asked = true
			if err := t.ask(s); err != nil {
				failed = errors.Join(failed, err)
			}
		}
		t.mu.Lock()
		without = without || s.ring == nil
		t.mu.Unlock()
	}
	if asked {
		t.mu.Lock()
		failed = errors.Join(failed, t.publish())
		t.mu.Unlock()
		note(&t.unfetched, failed)
	}
	t.without.Store(without)
}

// ask asks a url. It is asked again sooner where it failed.
func (t *tokenService) ask(s *keySource) error {
	again := s.every
	b, err := s.remote.get()
	var ring *token.Keyring
	if err == nil {
		ring, _, err = token.ParseSet(b, true)
	}
	if err != nil {
		again = min(again, hurryEvery)
		err = fmt.Errorf("%s: %w", s.at, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.due = time.Now().Add(again)
	if ring != nil {
		s.ring = ring
	}
	return err
}

// read reads the files that have changed since it was called last. With strict, whatever is wrong is an error; otherwise
// what could not be read stays as it was.
func (t *tokenService) read(strict bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := t.anchor.Load().Keys.Len() == 0
	var failed error
	for _, s := range t.sources {
		path := s.pem + s.set
		if path == "" {
			continue
		}
		stamp := stampOf(path)
		if stamp == s.stamp && s.ring != nil {
			continue
		}
		ring, err := s.load(path)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.at, err))
			continue
		}
		s.ring, s.stamp, changed = ring, stamp, true
	}
	if t.revoked != "" {
		if stamp := stampOf(t.revoked); stamp != t.stamp || t.list == nil {
			list, err := loadRevoked(t.revoked)
			if err != nil {
				failed = errors.Join(failed, err)
			} else {
				t.list, t.stamp, changed = list, stamp, true
			}
		}
	}
	if failed != nil && strict || !changed {
		return failed
	}
	return errors.Join(failed, t.publish())
}

// publish gives the verifiers what is known now. The caller has t.mu.
func (t *tokenService) publish() error {
	var rings []*token.Keyring
	for _, s := range t.sources {
		if s.ring != nil {
			rings = append(rings, s.ring)
		}
	}
	ring, err := token.Join(rings...)
	if err != nil {
		return err
	}
	t.anchor.Store(&token.Trust{Keys: ring, Revoked: t.list})
	return nil
}

// load reads a file of keys.
func (s *keySource) load(path string) (ring *token.Keyring, err error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	if s.pem != "" {
		ring, err = token.ParsePEM(b, s.id)
	} else {
		var ignored []string
		if ring, ignored, err = token.ParseSet(b, false); err == nil && len(ignored) > 0 {
			err = fmt.Errorf("not all keys can be used: %q", ignored) // in a file of one's own that is a mistake
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return ring, nil
}

func loadRevoked(path string) (*token.Revocations, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	list, err := token.ParseRevocations(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return list, nil
}

// readBounded reads a file that is not too long.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxKeyFile)
	}
	return b, nil
}
