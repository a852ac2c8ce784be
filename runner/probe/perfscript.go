package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// scriptFields are what perf script prints of each sample: a line, of a tracepoint with its fields, and below it the stack.
const scriptFields = "comm,pid,tid,cpu,time,period,event,trace,ip,sym,dso"

// The bounds of reading.
const (
	maxScriptLine = 64 << 10 // bytes; a longer one is broken. A generic function's name has hundreds
	maxFrames     = 512      // of a stack, from its leaf; the kernel records 127
	maxSymbols    = 1 << 20  // different ones; what is above is unknown
)

// unknownSymbol is what perf prints where there is no symbol, or no file.
const unknownSymbol = "[unknown]"

// symbol is a function in a file. The reader makes each once, so that pointers are equal where symbols are.
type symbol struct {
	name string
	file string // as perf prints it: "[kernel.kallsyms]", "/usr/sbin/nginx", "[unknown]"
}

// scriptSample is one sample as perf script prints it. It is the reader's, for the time of the call.
type scriptSample struct {
	comm          string
	pid, tid, cpu int
	time          time.Duration // of the kernel's clock
	period        int64         // that it stands for, in the event's unit
	event         string
	fields        string    // of a tracepoint
	stack         []*symbol // the leaf first
}

// scriptReader takes what perf script prints, in the order of time.
type scriptReader interface {
	sample(*scriptSample)
	fork(pid, parent int)
	named(pid int, name string)
	lost() // samples are missing here
}

// scriptCounts is what reading came upon.
type scriptCounts struct {
	samples, lost, broken uint64
}

// scriptHead is the line of a sample: name, pid/tid, CPU, time, and the rest. A name may have spaces, and what comes later may
// look like this, too: so the first place counts at which it fits.
var scriptHead = regexp.MustCompile(`^ *(.*?) +(-?\d{1,10})/(-?\d{1,10}) +\[(\d{1,9})\] +(\d{1,9})\.(\d{1,9}): +(.*)$`)

// readScript reads what perf script prints. Lines that it does not understand are counted and left out, unless there is nothing
// else.
func readScript(r io.Reader, h scriptReader) (scriptCounts, error) {
	s := scriptState{handler: h, symbols: make(map[string]*symbol)}
	in := bufio.NewReaderSize(r, maxScriptLine)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			s.broke(line)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			line = nil
		} else if len(line) > 0 {
			s.line(bytes.TrimRight(line, "\r\n"))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.counts, fmt.Errorf("read it: %w", err)
		}
	}
	s.flush()
	s.counts.lost = max(s.lostInBuffers, s.lostByEvents)
	if s.counts.samples == 0 && s.counts.broken > 0 {
		return s.counts, fmt.Errorf("none of its %d lines is a sample; the first one is %.200q", s.counts.broken, s.example)
	}
	return s.counts, nil
}

// scriptState is what is known between two lines.
type scriptState struct {
	handler scriptReader
	symbols map[string]*symbol // by how a frame's line goes on after its address
	current scriptSample
	open    bool // current has begun
	counts  scriptCounts
	example string // the first broken line
	// The kernel tells a loss where it happened, and newer ones also count it for each event: the same samples.
	lostInBuffers, lostByEvents uint64
}

func (s *scriptState) broke(line []byte) {
	if s.counts.broken++; s.counts.broken == 1 {
		s.example = string(line[:min(len(line), 200)])
	}
}

// line takes one line in. A stack's lines begin with a tab, and an empty one ends it.
func (s *scriptState) line(line []byte) {
	switch {
	case len(bytes.TrimSpace(line)) == 0:
		s.flush()
	case line[0] == '\t':
		f := s.frame(bytes.TrimSpace(line))
		if f == nil || !s.open {
			s.broke(line)
		} else if n := len(s.current.stack); n < maxFrames && !(f.name == unknownSymbol && n > 0 && s.current.stack[n-1] == f) {
			// Of functions without names in one file, that called each other, one frame says as much as many.
			s.current.stack = append(s.current.stack, f)
		}
	default:
		s.flush()
		s.head(line)
	}
}

// flush hands the sample over that has begun.
func (s *scriptState) flush() {
	if s.open {
		s.open = false
		s.counts.samples++
		s.handler.sample(&s.current)
	}
}

// head takes the first line of a sample, or what else perf tells at a time.
func (s *scriptState) head(line []byte) {
	m := scriptHead.FindSubmatch(line)
	if m == nil {
		s.broke(line)
		return
	}
	c := &s.current
	*c = scriptSample{comm: string(m[1]), stack: c.stack[:0]}
	// The expression lets nothing pass that is no number, nor too large a one.
	c.pid, _ = strconv.Atoi(string(m[2]))
	c.tid, _ = strconv.Atoi(string(m[3]))
	c.cpu, _ = strconv.Atoi(string(m[4]))
	seconds, _ := strconv.Atoi(string(m[5]))
	fraction, _ := strconv.Atoi((string(m[6]) + "000000000")[:9])
	c.time = time.Duration(seconds)*time.Second + time.Duration(fraction)
	rest := string(m[7])
	if told, isTold := strings.CutPrefix(rest, "PERF_RECORD_"); isTold {
		s.told(told, line)
		return
	}
	period, rest, ok := strings.Cut(rest, " ")
	n, err := strconv.ParseInt(period, 10, 64)
	event, fields, _ := strings.Cut(strings.TrimLeft(rest, " "), ": ")
	if event = strings.TrimSuffix(event, ":"); !ok || err != nil || n < 0 || event == "" || strings.Contains(event, " ") {
		s.broke(line)
		return
	}
	c.period, c.event, c.fields, s.open = n, event, strings.TrimSpace(fields), true
	// A sample without callers has its only frame on the same line.
	if f := s.frame([]byte(c.fields)); f != nil {
		c.fields, c.stack = "", append(c.stack, f)
	}
}

// told takes what is no sample: processes that begin, names, and losses.
func (s *scriptState) told(what string, line []byte) {
	kind, rest, _ := strings.Cut(what, " ")
	var pid, tid, parent, thread int
	switch {
	case strings.HasPrefix(kind, "FORK("):
		if _, err := fmt.Sscanf(kind, "FORK(%d:%d):(%d:%d)", &pid, &tid, &parent, &thread); err != nil {
			s.broke(line)
		} else if pid != parent {
			s.handler.fork(pid, parent)
		}
	case kind == "COMM" || kind == "COMM:":
		// " exec: name:pid/tid", or ": name:pid/tid"; the name may have anything.
		_, rest, _ = strings.Cut(what, ": ")
		at := strings.LastIndexByte(rest, ':')
		if _, err := fmt.Sscanf(rest[at+1:], "%d/%d", &pid, &tid); at < 0 || err != nil {
			s.broke(line)
		} else if pid == tid {
			s.handler.named(pid, rest[:at])
		}
	case kind == "LOST" || kind == "LOST_SAMPLES":
		fields := strings.Fields(rest)
		n, err := uint64(0), error(nil)
		if len(fields) < 2 {
			err = strconv.ErrSyntax
		} else {
			n, err = strconv.ParseUint(fields[1], 10, 32)
		}
		if err != nil {
			s.broke(line)
			return
		}
		if kind == "LOST" {
			s.lostInBuffers += n
		} else {
			s.lostByEvents += n
		}
		s.handler.lost()
	}
}

// frame reads "ffffffff81a0 name (file)"; nil where it is none. Names have spaces and parentheses, and so have files: the file is
// what the last parenthesis closes.
func (s *scriptState) frame(line []byte) *symbol {
	at := bytes.IndexByte(line, ' ')
	if at < 1 || len(line) < 4 || line[len(line)-1] != ')' {
		return nil
	}
	address, err := strconv.ParseUint(string(line[:at]), 16, 64)
	if err != nil {
		return nil
	}
	rest := line[at+1:]
	high := int64(address) < 0 // of the kernel's half
	if known := s.symbols[string(rest)]; known != nil && !(high && known.file == unknownSymbol) {
		return known
	}
	open := opening(rest)
	if open < 1 || rest[open-1] != ' ' {
		return nil
	}
	f := symbol{name: strings.ToValidUTF8(strings.TrimSpace(string(rest[:open])), "?"), file: strings.ToValidUTF8(string(rest[open+1:len(rest)-1]), "?")}
	if f.name = plain(f.name); f.name == "" {
		return nil
	}
	key := string(rest)
	if high && f.file == unknownSymbol {
		f.file, key = kernelFile, kernelFile+key // code that the kernel compiled, or a module without a name
	}
	if known := s.symbols[key]; known != nil {
		return known
	}
	if len(s.symbols) >= maxSymbols {
		return &tooManySymbols
	}
	s.symbols[key] = &f
	return &f
}

// plain takes the version of a library off a name: recv@@GLIBC_2.2.5, cfree@GLIBC_2.2.5. What calls into a library is recv@plt.
func plain(name string) string {
	if at := strings.IndexByte(name, '@'); at > 0 && !strings.HasSuffix(name, "@plt") {
		return name[:at]
	}
	return name
}

// kernelFile is the kernel as a file.
const kernelFile = "[kernel.kallsyms]"

// tooManySymbols stands for what is above the bound.
var tooManySymbols = symbol{unknownSymbol, unknownSymbol}

// opening returns where the parenthesis begins that the last one closes, -1 where none does.
func opening(b []byte) int {
	depth := 0
	for i := len(b) - 1; i >= 0; i-- {
		switch b[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// chunks is what perf says about buffers that were full.
var chunks = regexp.MustCompile(`lost (\d{1,18}) chunks`)

// lostChunks is how many buffers perf says that it lost: at least as many samples.
func lostChunks(said string) (n uint64) {
	for _, m := range chunks.FindAllStringSubmatch(said, -1) {
		chunk, _ := strconv.ParseUint(m[1], 10, 64) // the expression lets only numbers pass
		n = max(n, chunk)
	}
	return n
}
