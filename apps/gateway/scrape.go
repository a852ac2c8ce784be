package gateway

import (
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// scrapeTime is how long a scrape waits for a shard whose loop does not come to it.
const scrapeTime = 2 * time.Second

// Scrape collects what all shards have counted, and what the gateway has. It waits for their loops: no loop may call it.
func (g *Gateway) Scrape() *Metrics {
	m := &Metrics{families: map[string]*family{}}
	var mu sync.Mutex
	waiting := 0
	done := make(chan struct{}, maxShards) // nobody who comes late may block
	over := false                          // under mu: who comes now is too late
	g.shards.each(func(s *Shard) {
		waiting++
		s.Do(func(s *Shard) {
			mu.Lock()
			if !over {
				s.collect(m)
			}
			mu.Unlock()
			done <- struct{}{}
		})
	})
	late := time.NewTimer(scrapeTime)
	defer late.Stop()
	told := 0
	for told < waiting {
		select {
		case <-done:
			told++
			continue
		case <-late.C:
		}
		break
	}
	mu.Lock()
	over = true
	mu.Unlock()
	m.Gauge("gateway_shards", "Shards that have served requests.", "", float64(waiting))
	m.Gauge("gateway_shards_late", "Shards that did not tell in time what they have counted.", "", float64(waiting-told))
	g.collect(m)
	return m
}

// collect adds what the stages of a shard have counted.
func (s *Shard) collect(m *Metrics) {
	for i := range s.kept {
		if c, ok := s.kept[i].value.(Collector); ok {
			c.Collect(m)
		}
	}
}

// collect adds what the gateway as a whole knows.
func (g *Gateway) collect(m *Metrics) {
	sn := g.snapshot.Load()
	for _, s := range sn.shares {
		if c, ok := s.value.(Collector); ok {
			c.Collect(m)
		}
	}
	m.Gauge("gateway_routes", "Routes of the configuration in force.", "", float64(len(sn.Routes)))
	m.Gauge("gateway_config_number", "Which configuration is in force; the first one is 1.", "", float64(sn.number))
	m.Counter("gateway_config_reloads_total", "Configurations that were looked at since the first.", label("result", "taken"), float64(g.taken.Load()))
	m.Counter("gateway_config_reloads_total", "", label("result", "refused"), float64(g.refused.Load()))
	m.Gauge("gateway_ready", "1 while the gateway takes requests.", "", float64(btoi(g.Ready())))
	read := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/sched/goroutines:goroutines"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(read)
	for i, f := range []struct{ name, help string }{
		{"go_heap_objects_bytes", "Bytes of live and not yet collected objects."},
		{"go_goroutines", "Goroutines."},
		{"go_gc_cycles_total", "Garbage collections."},
	} {
		if i == 2 {
			m.Counter(f.name, f.help, "", float64(read[i].Value.Uint64()))
			continue
		}
		m.Gauge(f.name, f.help, "", float64(read[i].Value.Uint64()))
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// appendQuoted appends s as a JSON string. What is no UTF-8 is written as U+00XX, byte by byte: a log must be readable
// whatever a client sends.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, '"')
}

// appendInt appends a key and a number.
func appendInt(dst []byte, key string, n int64) []byte {
	dst = append(dst, key...)
	return strconv.AppendInt(dst, n, 10)
}
