package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"corelab/apps/gateway/quota"
)

// Options say where Redis is, and how it is asked.
type Options struct {
	Network  string // "tcp", or "unix"; empty means tcp
	Address  string
	Username string
	Password string
	DB       int
	Prefix   string        // of all keys
	Interval time.Duration // between two rounds
	Timeout  time.Duration // of a connect, a write and a read; 0 means 250 ms
	// Now is the time that the books are asked with.
	Now func() int64
}

const (
	defaultTimeout = 250 * time.Millisecond
	maxPipeline    = 500         // commands of one round trip
	maxPause       = time.Second // between two rounds while Redis is away
)

// silent is a logger of a library that logs what it also returns.
type silent struct{}

// Printf writes nothing.
func (silent) Printf(context.Context, string, ...any) {}

var silence = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

// Client returns a client of so many connections that never repeats a command by itself.
func (o *Options) Client(connections int) *redis.Client {
	silence()
	timeout := o.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return redis.NewClient(&redis.Options{
		Network: o.Network, Addr: o.Address, Username: o.Username, Password: o.Password, DB: o.DB, Protocol: 2,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, PoolSize: connections, PoolTimeout: timeout,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Rule is a limit that is shared.
type Rule struct {
	Name    string // in the names of keys
	Book    *quota.Book
	Journal *quota.Journal // that of Book
	policy  atomic.Pointer[quota.Policy]
}

// Set takes another policy, of the same Kind and, for a Window, Period. Any goroutine may call it.
func (r *Rule) Set(p quota.Policy) { r.policy.Store(&p) }

// Stats is what a Ledger has done.
type Stats struct {
	Rounds  int64 // over all rules
	Sent    int64 // deltas that Redis has
	Failed  int64 // rounds in which it did not answer
	Pending int64 // keys whose delta waits for Redis
	Lost    int64 // tokens that were not noted down, since there were too many keys
	Err     error // of the last round; nil if it went well
}

// Ledger carries the deltas of rules. Make one with [New], and Close it.
type Ledger struct {
	o      Options
	client *redis.Client
	stop   chan struct{}
	ended  chan struct{}

	mu    sync.Mutex
	rules []*account
	stats Stats
}

// account is a rule, and what is under way for it. Only the Ledger's goroutine touches entries.
type account struct {
	*Rule
	entries []*entry
}

// New returns a Ledger that works until it is closed.
func New(o Options) *Ledger {
	l := &Ledger{o: o, client: o.Client(1), stop: make(chan struct{}), ended: make(chan struct{})}
	go l.work()
	return l
}

// Add has the Ledger carry a rule.
func (l *Ledger) Add(r *Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = append(l.rules, &account{Rule: r})
}

// Drop ends that. What was not sent is lost.
func (l *Ledger) Drop(r *Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.rules {
		if a.Rule == r {
			l.rules = append(l.rules[:i:i], l.rules[i+1:]...)
			return
		}
	}
}

// Stats returns what was done so far.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Close sends what waits, once, and ends the Ledger.
func (l *Ledger) Close() error {
	close(l.stop)
	<-l.ended
	return l.client.Close()
}

// work makes a round each interval, less often while Redis is away.
func (l *Ledger) work() {
	defer close(l.ended)
	pause := l.o.Interval
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-l.stop:
			l.round()
			return
		}
		began := time.Now()
		if err := l.round(); err != nil {
			pause = min(2*pause, max(maxPause, l.o.Interval))
		} else {
			pause = l.o.Interval
		}
		timer.Reset(max(time.Millisecond, pause-time.Since(began)))
	}
}

// round sends what was taken, and takes over what is said of it.
func (l *Ledger) round() error {
	l.mu.Lock()
	rules := append([]*account(nil), l.rules...)
	l.mu.Unlock()
	now := l.o.Now()
	var due []sending
	pending, lost := int64(0), int64(0)
	for _, a := range rules {
		if a.policy.Load() == nil {
			continue
		}
		due = append(due, a.collect(now)...)
		lost += a.Journal.Lost()
	}
	sent, err := int64(0), error(nil)
	for rest := due; len(rest) > 0 && err == nil; {
		n := min(len(rest), maxPipeline)
		var got int
		got, err = l.send(rest[:n])
		sent += int64(got)
		rest = rest[n:]
	}
	pending = int64(len(due)) - sent

	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.stats
	s.Rounds++
	s.Sent += sent
	s.Pending, s.Lost, s.Err = pending, lost, err
	if err != nil {
		s.Failed++
	}
	return err
}

// sending is an entry whose delta is due.
type sending struct {
	*account
	*entry
	policy *quota.Policy
	cmd    *redis.Cmd
	done   bool
}

// send sends deltas in one round trip, or in three where Redis does not have the scripts, and returns how many it has now.
func (l *Ledger) send(due []sending) (sent int, err error) {
	ctx := context.Background() // the client's timeouts bound it
	for range 2 {
		pipe := l.client.Pipeline()
		for i := range due {
			if due[i].cmd == nil {
				due[i].ask(ctx, pipe, l.o.Prefix)
			}
		}
		pipe.Exec(ctx) // its error is that of one of the commands
		unknown := false
		for i := range due {
			s := &due[i]
			if s.done {
				continue
			}
			switch e := s.cmd.Err(); {
			case redis.HasErrorPrefix(e, "NOSCRIPT"):
				unknown, s.cmd = true, nil
			case e == nil:
				e = s.learn(l.o.Now())
				s.done = true
				sent++
				fallthrough
			default:
				if e != nil && err == nil {
					err = fmt.Errorf("redis %s: %d deltas: %w", l.o.Address, len(due), e)
				}
			}
		}
		if !unknown {
			return sent, err
		}
		if err := errors.Join(bucketScript.Load(ctx, l.client).Err(), windowScript.Load(ctx, l.client).Err()); err != nil {
			return sent, fmt.Errorf("redis %s: load scripts: %w", l.o.Address, err)
		}
	}
	return sent, fmt.Errorf("redis %s: it forgets scripts", l.o.Address)
}

// ask adds the command to a pipeline.
func (s *sending) ask(ctx context.Context, pipe redis.Pipeliner, prefix string) {
	name := prefix + s.Name + ":" + s.tally.Name
	if s.policy.Kind == quota.Bucket {
		s.amount = time.Duration(max(0, s.full-s.at)).Round(time.Microsecond)
		s.cmd = bucketScript.EvalSha(ctx, pipe, []string{name}, s.amount.Microseconds())
		return
	}
	number := func(n int64) string { return name + ":" + strconv.FormatInt(n, 10) }
	s.cmd = windowScript.EvalSha(ctx, pipe, []string{number(s.number), number(s.number - 1)},
		max(0, s.count), max(0, s.before), (2*s.policy.Period + time.Second).Milliseconds())
}

// learn takes over what Redis said.
func (s *sending) learn(now int64) error {
	p := s.policy
	if p.Kind == quota.Bucket {
		text, err := s.cmd.Text()
		if err != nil {
			return err
		}
		missing, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("a bucket's answer: %w", err)
		}
		d := time.Duration(missing)*time.Microsecond + p.Worth(s.tally.Taken())
		s.Book.Raise(p, s.tally.Key, now, p.Missing(now, d))
		s.full = 0
		return nil
	}
	n, err := s.cmd.Int64Slice()
	if err != nil {
		return err
	}
	if len(n) != 2 {
		return fmt.Errorf("a window's answer has %d numbers", len(n))
	}
	s.Book.Raise(p, s.tally.Key, now, p.Counted(s.number, n[1], n[0]+s.tally.Taken()))
	s.count, s.before = min(0, s.count), min(0, s.before)
	return nil
}
