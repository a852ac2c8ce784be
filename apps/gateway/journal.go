package gateway

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pageBytes   = 32 << 10 // of lines that are handed over at once
	pageSpare   = 8 << 10  // more than most lines need; a longer one grows the page
	maxLineText = 2 << 10  // bytes of each text that a client chose, in a line
	logQueue    = 256      // batches, the default
	logFlush    = 200 * time.Millisecond
	// journalRest is how long a journal that no configuration names any more waits for requests that began under the old one.
	journalRest = 2 * time.Second
)

// journal is the access log: shards fill pages with lines, a goroutine writes them. Shards never wait for it: where its
// queue is full a page is lost, and its lines counted.
type journal struct {
	settings string
	path     string
	flush    time.Duration
	kafka    *kafkaLog // nil: the file alone

	pages chan []byte
	spare chan []byte
	over  chan struct{} // closed when the journal is to end
	done  chan struct{} // closed when it has

	file    *os.File
	fileMu  sync.Mutex   // the fallback's lines come from Kafka's goroutines
	info    os.FileInfo  // of file
	lines   atomic.Int64 // written
	full    atomic.Int64 // lost: the queue was full
	failed  atomic.Int64 // lost: the file took them not
	started bool
}

// buildJournal declares the log of a configuration.
func buildJournal(b *Builder, c *LogConfig) *journal {
	const at = "observe.log"
	if c.File == "" {
		b.Fault(at+".file", "the log needs a file; with kafka it takes what Kafka does not")
		return nil
	}
	if c.Queue < 0 || c.Queue > 1<<20 {
		b.Fault(at+".queue", "queue must be between 1 and %d", 1<<20)
		return nil
	}
	if c.Kafka != nil && !c.Kafka.check(b, at+".kafka") {
		return nil
	}
	settings := fmt.Sprintf("%s %d %v %+v", c.File, c.Queue, c.Flush, c.Kafka)
	return Share(b, "log", c.File, settings, func() *journal {
		j := &journal{settings: settings, path: c.File, flush: c.Flush.Or(logFlush), pages: make(chan []byte, orInt(c.Queue, logQueue)),
			spare: make(chan []byte, 64), over: make(chan struct{}), done: make(chan struct{})}
		if err := j.open(); err != nil {
			b.Fault(at+".file", "%v", err)
		}
		if c.Kafka != nil {
			k, err := openKafka(c.Kafka, j.fallBack)
			if err != nil {
				b.Fault(at+".kafka", "%v", err)
			}
			j.kafka = k
		}
		return j
	})
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// open opens the file, to append to it.
func (j *journal) open() error {
	f, err := os.OpenFile(j.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	j.file = f
	j.info, err = f.Stat()
	return err
}

// Start implements Starter.
func (j *journal) Start(g *Gateway) {
	j.started = true
	go j.run(g)
}

// Close implements io.Closer: it returns once everything that shards have handed over is written.
func (j *journal) Close() error {
	if !j.started { // of a configuration that was refused
		j.kafka.close()
		if j.file != nil {
			return j.file.Close()
		}
		return nil
	}
	close(j.over)
	return nil
}

// Wait returns once a journal that was closed has written all.
func (j *journal) Wait() { <-j.done }

// run writes what comes, and asks the shards for what they have every flush.
func (j *journal) run(g *Gateway) {
	defer close(j.done)
	tick := time.NewTicker(j.flush)
	defer tick.Stop()
	over := j.over
	var end <-chan time.Time
	for {
		select {
		case page := <-j.pages:
			j.write(page)
		case <-tick.C:
			j.reopen()
			g.shards.each(func(s *Shard) { s.Do(j.gather) })
		case <-over:
			over = nil
			g.shards.each(func(s *Shard) { s.Do(j.gather) })
			end = time.After(min(journalRest, 2*j.flush))
		case <-end:
			j.end()
			return
		}
	}
}

// end writes the rest.
func (j *journal) end() {
	for {
		select {
		case page := <-j.pages:
			j.write(page)
			continue
		default:
		}
		break
	}
	j.kafka.close()
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	j.file.Close()
	j.file = nil
}

// gather has a shard hand over what it has.
func (j *journal) gather(s *Shard) {
	for i := range s.kept {
		if p, ok := s.kept[i].value.(*pages); ok && p.log == j {
			p.hand()
		}
	}
}

// write writes a page, and keeps its memory for a shard.
func (j *journal) write(page []byte) {
	if j.kafka != nil {
		for line := range bytes.Lines(page) {
			j.kafka.write(line[:len(line)-1])
		}
	} else {
		j.fallBack(page)
	}
	if cap(page) <= 2*pageBytes {
		select {
		case j.spare <- page[:0]:
		default:
		}
	}
}

// fallBack writes lines to the file. Any goroutine may call it.
func (j *journal) fallBack(lines []byte) {
	n := int64(bytes.Count(lines, []byte{'\n'}))
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	if j.file == nil {
		j.failed.Add(n)
		return
	}
	if _, err := j.file.Write(lines); err != nil {
		j.failed.Add(n) // shown on /metrics: a log that cannot be written has nowhere else to say so
		return
	}
	j.lines.Add(n)
}

// reopen opens the file anew if another one, or none, stands at its path: it was moved away.
func (j *journal) reopen() {
	info, err := os.Stat(j.path)
	if err == nil && os.SameFile(info, j.info) {
		return
	}
	j.fileMu.Lock()
	defer j.fileMu.Unlock()
	old := j.file
	if j.open() == nil {
		old.Close() // all of it is written
	}
}

// Collect implements Collector.
func (j *journal) Collect(m *Metrics) {
	const name = "gateway_log_lines_total"
	m.Counter(name, "Lines of the access log, by what became of them.", label("result", "file"), float64(j.lines.Load()))
	m.Counter(name, "", label("result", "queue_full"), float64(j.full.Load()))
	m.Counter(name, "", label("result", "file_failed"), float64(j.failed.Load()))
	if j.kafka != nil {
		m.Counter(name, "", label("result", "kafka"), float64(j.kafka.taken.Load()))
		m.Counter(name, "", label("result", "kafka_failed"), float64(j.kafka.failed.Load()))
	}
}

// pages is what a shard has for the journal.
type pages struct {
	log   *journal
	page  []byte
	lines int64
}

// hand gives the page to the journal, or gives up its lines.
func (p *pages) hand() {
	if p.lines == 0 {
		return
	}
	select {
	case p.log.pages <- p.page:
		p.page = nil
	default:
		p.log.full.Add(p.lines)
		p.page = p.page[:0]
	}
	p.lines = 0
}

// Retire implements Retirer.
func (p *pages) Retire(*Shard) { p.hand() }

// write adds the line of a request that has ended.
func (p *pages) write(r *Request, out *Outcome, o *observe) {
	if p.page == nil {
		select {
		case p.page = <-p.log.spare:
		default:
			p.page = make([]byte, 0, pageBytes+pageSpare)
		}
	}
	b := p.page
	s := o.sight.Of(r.Shard)
	b = append(b, `{"time":"`...)
	b = s.appendTime(b, s.wallAt(r.Began))
	b = append(b, `","client":"`...)
	if peer := r.X.Peer(); peer.IsValid() {
		b = peer.Addr().AppendTo(b)
	}
	b = append(b, `","method":`...)
	b = appendQuoted(b, r.Method())
	b = append(b, `,"host":`...)
	b = appendQuoted(b, cut(r.X.Host()))
	b = append(b, `,"path":`...)
	b = appendQuoted(b, cut(r.X.Path()))
	b = append(b, `,"route":`...)
	b = append(b, o.quoted...)
	b = appendInt(b, `,"status":`, int64(out.Status))
	b = appendInt(b, `,"bytes":`, out.Bytes)
	b = appendInt(b, `,"latency_us":`, out.Latency/1e3)
	place := &r.Observe
	if id := place.RequestID(); id != nil {
		b = append(append(append(b, `,"id":"`...), id...), '"')
	}
	if place.sampled {
		b = append(b, `,"trace":"`...)
		b = append(append(b, place.span.trace[:]...), '"')
	}
	if r.Consumer != nil {
		b = append(b, `,"consumer":`...)
		b = appendText(b, r.Consumer.Name)
	}
	if place.last != nil {
		b = append(b, `,"upstream":"`...)
		b = append(place.last.Addr.AppendTo(b), '"')
		b = appendInt(b, `,"attempts":`, int64(place.attempts))
	}
	if place.from == FromCache {
		b = append(b, `,"cached":true`...)
	}
	if out.Err != nil {
		b = append(b, `,"error":`...)
		b = appendText(b, out.Err.Error())
	}
	p.page = append(b, '}', '\n')
	if p.lines++; len(p.page) >= pageBytes {
		p.hand()
	}
}

// appendText appends s as a JSON string.
func appendText(dst []byte, s string) []byte {
	if len(s) > maxLineText {
		s = s[:maxLineText]
	}
	if strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c >= 0x7f }) < 0 {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	return appendQuoted(dst, []byte(s))
}

func cut(b []byte) []byte { return b[:min(len(b), maxLineText)] }
