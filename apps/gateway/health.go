package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"corelab/apps/gateway/balance"
	"corelab/apps/gateway/settings"
)

// HealthConfig is active health checking: each endpoint is probed, whether it is asked by clients or not.
type HealthConfig struct {
	Path     string            `toml:"path"`     // GET this, and expect a status of 200 to 399; empty: that it can be connected to is enough
	Interval settings.Duration `toml:"interval"` // between the end of a probe and the next, 2s
	Timeout  settings.Duration `toml:"timeout"`  // of a probe, 1s
	Rise     int               `toml:"rise"`     // successes in a row that bring an endpoint up, 2
	Fall     int               `toml:"fall"`     // failures in a row that take it down, 3
}

const (
	defaultRise     = 2
	defaultFall     = 3
	defaultInterval = 2 * time.Second
	defaultTimeout  = time.Second
	maxInterval     = time.Hour
)

// checker probes the endpoints of one upstream, for all shards: a goroutine for each. Shards look at its news, which is one
// number that hardly ever changes.
type checker struct {
	news atomic.Uint32 // changes with each change of down
	down []atomic.Bool

	config    HealthConfig
	addresses []string
	cancel    context.CancelFunc
	context   context.Context
	working   sync.WaitGroup
}

// buildChecker declares the probes of an upstream, nil if it wants none.
func buildChecker(b *Builder, up *Upstream, at string) *checker {
	if up.Config.Balance.Health == nil {
		return nil
	}
	c := *up.Config.Balance.Health
	if c.Path != "" && (c.Path[0] != '/' || strings.ContainsAny(c.Path, " \t\r\n#")) {
		b.Fault(at+".path", "%q is no path", c.Path)
	}
	if c.Rise < 0 || c.Fall < 0 {
		b.Fault(at, "rise and fall are numbers of probes in a row")
	}
	if c.Interval.Or(defaultInterval) > maxInterval || c.Timeout.Or(defaultTimeout) > maxInterval {
		b.Fault(at, "an interval and a timeout are at most %v", maxInterval)
	}
	if c.Rise == 0 {
		c.Rise = defaultRise
	}
	if c.Fall == 0 {
		c.Fall = defaultFall
	}
	var addresses []string
	for _, e := range up.Endpoints {
		addresses = append(addresses, e.Addr.String())
	}
	return Share(b, "health", up.Name, fmt.Sprintf("%+v %v", c, addresses), func() *checker {
		k := &checker{down: make([]atomic.Bool, len(addresses)), config: c, addresses: addresses}
		k.context, k.cancel = context.WithCancel(context.Background())
		return k
	})
}

// Start implements Starter.
func (k *checker) Start(*Gateway) {
	for i := range k.addresses {
		k.working.Go(func() { k.watch(i) })
	}
}

// Close ends the probes.
func (k *checker) Close() error {
	k.cancel()
	return nil
}

// Wait returns when they have ended.
func (k *checker) Wait() { k.working.Wait() }

// watch probes one endpoint until the checker is closed.
func (k *checker) watch(i int) {
	var c balance.Check
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-k.context.Done():
			return
		case <-tick.C:
		}
		ok := k.probe(k.addresses[i]) == nil
		if k.context.Err() != nil {
			return
		}
		if c.Told(balance.Active, ok, k.config.Rise, k.config.Fall) {
			k.down[i].Store(c.Down())
			k.news.Add(1)
		}
		tick.Reset(k.config.Interval.Or(defaultInterval))
	}
}

// probe asks an endpoint whether it is well.
func (k *checker) probe(address string) error {
	ctx, cancel := context.WithTimeout(k.context, k.config.Timeout.Or(defaultTimeout))
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	defer c.Close()
	if k.config.Path == "" {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: corelab-gateway\r\nConnection: close\r\n\r\n", k.config.Path, address); err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	return probed(c, address)
}

// maxStatusLine bounds what a probe reads for the status line.
const maxStatusLine = 512

// probed reads the status of an answer.
func probed(r io.Reader, address string) error {
	line, err := bufio.NewReader(io.LimitReader(r, maxStatusLine)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("probe %s: %w", address, err)
	}
	if len(line) < len("HTTP/1.1 200") || !strings.HasPrefix(line, "HTTP/1.") || line[8] != ' ' || line[9] != '2' && line[9] != '3' {
		return fmt.Errorf("probe %s: %q", address, line)
	}
	return nil
}
