package conform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// smuggled begins the message that is put behind one with a fault.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: "

// player plays cases against one server.
type player struct {
	ctx      context.Context
	server   *Server
	patience time.Duration
}

// outcome is what came of playing a case.
type outcome struct {
	err    error // nil: it passed; inapplicable, or what is wrong
	second error // of a message with a fault: what is wrong with how the second one fared, or inapplicable
	rules  findings
	lines  []Line
}

// play plays the case on as many connections as it takes.
func (p *player) play(c *Case) *outcome {
	if c.sent != sentSplits {
		return p.once(c, 0)
	}
	first, err := c.steps[0].text.render(p.server, nil)
	if err != nil {
		return &outcome{err: err}
	}
	var all findings
	for at := 1; at < len(first); at++ {
		o := p.once(c, at)
		all.add(&o.rules)
		if o.err != nil || at == len(first)-1 || p.ctx.Err() != nil {
			if o.err != nil {
				o.err = fmt.Errorf("split behind byte %d: %w", at, o.err)
			}
			o.rules = all
			return o
		}
	}
	return &outcome{err: errors.New("one byte cannot be split")}
}

// talk is one conversation under way.
type talk struct {
	*player
	*conn
	*outcome
	c       *Case
	split   int // the first write is split here; 0: it is not
	answers []*Answer
	last    *Answer // the last final one
	interim bool    // an interim answer came before the last one
	posted  bool    // something went to {post}
	fin     bool
	ended   bool // the connection has
}

// once plays the case on one connection.
func (p *player) once(c *Case, split int) *outcome {
	t := &talk{player: p, c: c, split: split, outcome: &outcome{}}
	var err error
	if t.conn, err = dial(p.ctx, p.server.Addr, p.patience); err != nil {
		t.err = err
		return t.outcome
	}
	defer func() {
		t.conn.close()
		t.lines = t.conversation()
	}()
	t.err = t.run()
	if c.fault != faultNone && t.second == nil && t.last == nil && !t.ended {
		t.second = inapplicable("the first message was not answered")
	}
	return t.outcome
}

func (t *talk) run() error {
	lastSend := 0
	for i, s := range t.c.steps {
		if s.do == doSend {
			lastSend = i
		}
	}
	for i, s := range t.c.steps {
		switch s.do {
		case doSend:
			if err := t.send(s.text, i == 0, i == lastSend && t.c.fault != faultNone); err != nil {
				return err
			}
		case doPause:
			t.writes <- write{pause: true}
		case doFin:
			t.fin = true
			t.writes <- write{fin: true}
		case doReset:
			t.reset()
			t.ended = true
		case doQuiet:
			if err := t.quiet(); err != nil {
				return fmt.Errorf("nothing should have come yet: %w", err)
			}
		case doAnswer:
			if err := t.answer(s.want); err != nil {
				return err
			}
			if s.want.interim() && t.last != nil && t.last == t.answers[len(t.answers)-1] {
				return t.end(endAny) // a final answer instead: what would follow the interim one is not sent
			}
			if t.c.fault != faultNone && !s.want.interim() {
				t.judgeSecond()
			}
		case doEnd:
			return t.end(s.end)
		}
	}
	return t.end(endAny)
}

// send puts bytes on their way.
func (t *talk) send(what text, first, behind bool) error {
	s, err := what.render(t.server, t.answers)
	if err != nil {
		return err
	}
	t.posted = t.posted || what.uses("post")
	w := write{bytes: []byte(s)}
	if behind {
		w.bytes = append(w.bytes, smuggled+t.server.host()+"\r\n\r\n"...)
	}
	switch {
	case first && t.split > 0:
		t.writes <- write{bytes: w.bytes[:t.split]}
		t.writes <- write{pause: true}
		t.writes <- write{bytes: w.bytes[t.split:]}
		return nil
	case first && t.c.sent == sentBytes:
		w.each = byteGap
	}
	t.writes <- w
	return nil
}

// answer reads the next answer and holds it to w.
func (t *talk) answer(w *want) error {
	t.interim = false
	for range maxInterim {
		a, err := t.read(w)
		if errors.Is(err, errEnded) && a == nil {
			t.ended = true
			if w.none() {
				return nil
			}
			return errors.New("the connection was closed without an answer")
		}
		if err != nil {
			if a != nil && a.Status >= 200 {
				return fmt.Errorf("status %d: %w", a.Status, err)
			}
			return err
		}
		if a.Status < 200 && !w.interim() {
			t.interim = true
			continue
		}
		if w.interim() && t.interim {
			return fmt.Errorf("an interim answer too many")
		}
		return t.judge(a, w)
	}
	return fmt.Errorf("more than %d interim answers", maxInterim)
}

// read reads one answer and holds it to the rules.
func (t *talk) read(w *want) (*Answer, error) {
	before := t.last
	if before != nil && before.closes {
		t.rules.look(ruleCloses)
	}
	rules := &t.rules
	if w.toAncient { // an answer of HTTP/0.9 is content alone, and breaks no rule of HTTP/1
		rules = new(findings)
	}
	a, err := readAnswer(t.in, w.toHead, w.toOld, rules)
	if a == nil {
		if before != nil && before.bare() && err != nil && !errors.Is(err, errSilent) && !errors.Is(err, errEnded) {
			t.rules.broke(ruleBare, "behind status %d: %v", before.Status, err)
		}
		return nil, err
	}
	if before != nil && before.closes {
		t.rules.broke(ruleCloses, "status %d came behind an answer with the close option", a.Status)
	}
	if a.Status >= 200 {
		t.last, t.ended = a, a.untilClose
		if a.bare() {
			t.rules.look(ruleBare)
		}
	}
	t.answers = append(t.answers, a)
	if err == nil {
		rules.body(a)
	}
	return a, err
}

// judge holds an answer to what is wanted.
func (t *talk) judge(a *Answer, w *want) error {
	if !w.accepts(a.Status, t.server.Echo != "") {
		return fmt.Errorf("status %d", a.Status)
	}
	if w.alone && t.interim {
		return errors.New("an interim answer came before it")
	}
	for _, q := range w.tests {
		if err := t.ask(a, q); err != nil {
			return err
		}
	}
	return nil
}

// ask holds an answer to one test.
func (t *talk) ask(a *Answer, q test) error {
	s, err := q.text.render(t.server, t.answers)
	if err != nil {
		return err
	}
	if t.posted && t.server.Echo == "" && (q.kind == testBody || q.kind == testBodyHas) {
		return nil // who has no echo answers what it likes
	}
	body := string(a.Body)
	value, found := a.Field(q.name)
	switch q.kind {
	case testBody:
		if body != s {
			return fmt.Errorf("the content is %s", show(a.Body))
		}
	case testBodyHas:
		if !strings.Contains(body, s) {
			return fmt.Errorf("%s is not in the content %s", show([]byte(s)), show(a.Body))
		}
	case testBodyHasNot:
		if strings.Contains(body, s) {
			return fmt.Errorf("%s is in the content %s", show([]byte(s)), show(a.Body))
		}
	case testField:
		if !found || value != s {
			return fmt.Errorf("%s is %s", q.name, shownField(value, found))
		}
	case testFieldHas:
		if !found || !strings.Contains(strings.ToLower(value), strings.ToLower(s)) {
			return fmt.Errorf("%s is %s", q.name, shownField(value, found))
		}
	case testFieldThere:
		if !found {
			return fmt.Errorf("there is no %s", q.name)
		}
	case testFieldNone:
		if found {
			return fmt.Errorf("%s is %s", q.name, shownField(value, found))
		}
	case testLike:
		return t.compare(a, q)
	}
	return nil
}

func shownField(value string, found bool) string {
	if !found {
		return "missing"
	}
	return show([]byte(value))
}

// compare holds fields of an answer to those of an earlier one.
func (t *talk) compare(a *Answer, q test) error {
	if q.of > len(t.answers) {
		return fmt.Errorf("there is no answer %d", q.of)
	}
	for _, name := range q.names {
		value, found := a.Field(name)
		if first, _ := t.answers[q.of-1].Field(name); found && value != first {
			return fmt.Errorf("%s is %s, and %s in answer %d", name, show([]byte(value)), show([]byte(first)), q.of)
		}
	}
	return nil
}

// judgeSecond looks whether the message behind one with a fault is answered, once the first one was.
func (t *talk) judgeSecond() {
	switch {
	case t.ended && t.last == nil:
		return // closed without a word: the second has no answer
	case t.last == nil:
		t.second = inapplicable("the first message was not answered")
		return
	case !refuses(t.last.Status):
		t.second = inapplicable(fmt.Sprintf("the first message was taken, with status %d", t.last.Status))
		return
	}
	rest, err := t.conn.end()
	t.ended = err == nil
	if len(rest) > 0 {
		t.followed(rest)
		t.second = fmt.Errorf("behind status %d came %s", t.last.Status, show(rest))
	}
}

// followed tells the rules what came behind the last answer, where nothing may.
func (t *talk) followed(rest []byte) {
	switch {
	case t.last == nil:
	case t.last.bare() && !bytes.HasPrefix(rest, []byte("HTTP/")):
		t.rules.broke(ruleBare, "behind status %d: %s", t.last.Status, show(rest))
	case t.last.closes:
		t.rules.demand(ruleCloses, false, "behind status %d: %s", t.last.Status, show(rest))
	}
}

// refuses reports whether a status says that the message was not taken. 403, 404 and 405 are of a server that took it, and
// has not what it asks for.
func refuses(status int) bool {
	return status >= 400 && status != 403 && status != 404 && status != 405
}

// end judges the connection.
func (t *talk) end(e ending) error {
	if e == endAlive {
		return t.alive()
	}
	defer t.told()
	if t.c.fault != faultNone && t.second != nil && !errors.As(t.second, new(inapplicable)) && e == endClose {
		return errors.New("the connection is not closed, the message behind is answered")
	}
	taken := t.c.fault != faultNone && t.last != nil && !refuses(t.last.Status) // and so the message behind it may be, too
	if e != endClose && t.in.Buffered() > 0 && !t.ended && !taken {
		b, _ := t.in.Peek(t.in.Buffered())
		t.followed(b)
		return fmt.Errorf("behind the last answer came %s", show(b))
	}
	switch e {
	case endClose:
		return t.closed()
	case endServes, endOpen:
		if e == endServes && t.last != nil && t.last.closes {
			return t.closed()
		}
		return t.serves()
	}
	return nil
}

// closed waits for the end of the connection.
func (t *talk) closed() error {
	if t.ended {
		return nil
	}
	rest, err := t.conn.end()
	t.ended = err == nil
	if len(rest) > 0 {
		t.followed(rest)
		return fmt.Errorf("behind the last answer came %s", show(rest))
	}
	if err != nil {
		return fmt.Errorf("the connection is not closed within %v", t.conn.patience)
	}
	return nil
}

// told holds the end of the connection to what the last answer said of it.
func (t *talk) told() {
	if t.last == nil || t.fin {
		return
	}
	if t.last.closes && !t.last.untilClose {
		t.rules.look(ruleCloses)
		if err := t.closed(); err != nil && !t.ended {
			t.rules.broke(ruleCloses, "status %d: %v", t.last.Status, err)
		}
	}
	if t.ended {
		t.rules.demand(ruleCloseTold, t.last.lists("Connection", "close"), "status %d", t.last.Status)
	}
}

// serves asks for the ordinary answer on the same connection.
func (t *talk) serves() error {
	t.writes <- write{bytes: []byte(t.server.ordinary())}
	before := t.last
	a, err := t.final()
	switch {
	case err != nil && a == nil && errors.Is(err, errEnded):
		t.ended = true
		return errors.New("the connection was closed, and the answer before did not say so")
	case err != nil:
		return fmt.Errorf("one more request on the connection: %w", err)
	case a.Status != 200:
		return fmt.Errorf("one more request on the connection: status %d", a.Status)
	case before != nil && before.closes:
		return errors.New("the connection says that it is closed")
	}
	return nil
}

// final reads the next answer that is no interim one.
func (t *talk) final() (*Answer, error) {
	for range maxInterim {
		if a, err := t.read(&want{}); err != nil || a.Status >= 200 {
			return a, err
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

// alive asks for the ordinary answer on a new connection.
func (t *talk) alive() error {
	c, err := dial(t.ctx, t.server.Addr, t.player.patience)
	if err != nil {
		return err
	}
	defer c.close()
	c.writes <- write{bytes: []byte(t.server.ordinary())}
	anew := &talk{player: t.player, conn: c, outcome: t.outcome, c: t.c}
	a, err := anew.final()
	if err != nil {
		return fmt.Errorf("a request on a new connection: %w", err)
	}
	if a.Status != 200 {
		return fmt.Errorf("a request on a new connection: status %d", a.Status)
	}
	return nil
}

// add adds what was found in another conversation.
func (f *findings) add(o *findings) {
	for i := range f {
		if f[i].broken == 0 {
			f[i].detail = o[i].detail
		}
		f[i].looked += o[i].looked
		f[i].broken += o[i].broken
	}
}
