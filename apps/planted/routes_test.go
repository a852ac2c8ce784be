package planted

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const good = "200 Hello, World!"

// TestFaults asks ten times, by two connections in turn, and expects each fault in the third, sixth and ninth answer.
func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		bad    string
		counts Counts
	}{
		{"wrong", Config{Wrong: 3}, "200 Hello, World?", Counts{Wrong: 3}},
		{"long", Config{Long: 3}, "200 Hello, World!!", Counts{Long: 3}},
		{"short", Config{Short: 3}, "200 Hello,  closed", Counts{Short: 3}},
		{"error", Config{Error: 3}, "500 planted error\n", Counts{Errors: 3}},
		{"close", Config{Close: 3}, " closed", Counts{Closed: 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDriver(t, test.config)
			conns := []*conn{d.dial(), d.dial()}
			for i := 1; i <= 10; i++ {
				c := &conns[i%2]
				want := good
				if i%3 == 0 {
					want = test.bad
				}
				if got := (*c).ask("/planted"); got != want {
					t.Errorf("answer %d is %q, want %q", i, got, want)
				}
				if (*c).over {
					*c = d.dial()
				}
			}
			if got := d.dial().ask("/plaintext"); got != good {
				t.Errorf("/plaintext is %q", got)
			}
			test.counts.Requests, test.counts.Answers = 10, 10
			if got := d.counts(); got != test.counts {
				t.Errorf("the counts are %+v, want %+v", got, test.counts)
			}
		})
	}
}

// counts asks for the counts. The time, which no test knows, is left out.
func (d *driver) counts() (c Counts) {
	d.t.Helper()
	_, body, _ := strings.Cut(d.dial().ask("/counts"), " ")
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		d.t.Fatal(err)
	}
	if c.Elapsed <= 0 {
		d.t.Errorf("the elapsed time is %d ns", c.Elapsed)
	}
	c.Elapsed = 0
	return c
}

// TestShortIsAnnounced: what is cut short has announced all of it.
func TestShortIsAnnounced(t *testing.T) {
	c := newDriver(t, Config{Short: 1}).dial()
	c.ask("/planted")
	if !strings.Contains(c.out.String(), "\r\nContent-Length: 13\r\n") {
		t.Errorf("the answer is %q", c.out.String())
	}
}

func TestFaultsInOrder(t *testing.T) {
	f := faults{faultClose: 30, faultError: 15, faultShort: 10, faultLong: 6, faultWrong: 2}
	for n, want := range map[uint64]fault{1: faultNone, 2: faultWrong, 6: faultLong, 10: faultShort, 15: faultError, 20: faultShort, 30: faultClose, 60: faultClose} {
		if got := f.of(n); got != want {
			t.Errorf("answer %d has fault %d, want %d", n, got, want)
		}
	}
}

// TestLate holds back every second of six answers, and nobody else.
func TestLate(t *testing.T) {
	const delay = 30 * time.Millisecond
	d := newDriver(t, Config{LateEvery: 2, LateBy: delay, Wrong: 4})
	var held []*conn
	begin := time.Now()
	for i := 1; i <= 6; i++ {
		c := d.dial()
		got := c.ask("/planted")
		switch {
		case i%2 == 0 && got == "":
			held = append(held, c)
		case i%2 == 1 && got == good:
		default:
			t.Errorf("answer %d is %q", i, got)
		}
	}
	answered := func() bool {
		return !slices.ContainsFunc(held, func(c *conn) bool { return c.answer() == "" })
	}
	d.run("late answers", answered)
	if took := time.Since(begin); took < delay {
		t.Errorf("late answers came after %v", took)
	}
	for i, want := range []string{good, "200 Hello, World?", good} { // a late answer may be wrong, too
		if got := held[i].answer(); got != want {
			t.Errorf("late answer %d is %q, want %q", i, got, want)
		}
	}
	if got, want := d.counts(), (Counts{Requests: 6, Answers: 6, Late: 3, Wrong: 1}); got != want {
		t.Errorf("the counts are %+v, want %+v", got, want)
	}
}

// TestMute never answers the first two connections, and all others.
func TestMute(t *testing.T) {
	d := newDriver(t, Config{Mute: 2, Wrong: 2})
	if got := d.dial().ask("/plaintext"); got != good {
		t.Errorf("/plaintext is %q", got)
	}
	for i, want := range []string{"", "", good, "200 Hello, World?", good} {
		if got := d.dial().ask("/planted"); got != want {
			t.Errorf("connection %d gets %q, want %q", i, got, want)
		}
	}
	if got, want := d.counts(), (Counts{Requests: 5, Answers: 3, Muted: 2, Wrong: 1}); got != want {
		t.Errorf("the counts are %+v, want %+v", got, want)
	}
}

// TestSerial asks by five connections at once: they are answered in that order, the last one after five services.
func TestSerial(t *testing.T) {
	const service, n = 5 * time.Millisecond, 5
	d := newDriver(t, Config{Serial: service})
	begin := time.Now()
	var conns []*conn
	for range n {
		c := d.dial()
		conns = append(conns, c)
		if got := c.ask("/planted"); got != "" {
			t.Fatalf("an answer came at once: %q", got)
		}
	}
	for i, c := range conns {
		d.run("answer in its turn", func() bool { return c.answer() != "" })
		if took := time.Since(begin); c.answer() != good || took < time.Duration(i+1)*service {
			t.Errorf("answer %d is %q after %v", i, c.answer(), took)
		}
		for _, later := range conns[i+1:] {
			if later.answer() != "" && len(d.posts) == 0 {
				t.Errorf("answer %d came before one that was asked for earlier", i)
			}
		}
	}
}

// TestSerialLeaves: whoever leaves the queue is served all the same, as a server does that has not noticed.
func TestSerialLeaves(t *testing.T) {
	const service = 5 * time.Millisecond
	d := newDriver(t, Config{Serial: service})
	begin := time.Now()
	first, second := d.dial(), d.dial()
	first.ask("/planted")
	second.ask("/planted")
	first.conn.Abort(nil)
	d.run("the second answer", func() bool { return second.answer() != "" })
	if took := time.Since(begin); took < 2*service || first.out.Len() > 0 {
		t.Errorf("after %v, and the one who left got %q", took, first.out.String())
	}
}

// TestStall blocks whoever asks within a stall until its end, and holds back an answer that falls into the next one.
func TestStall(t *testing.T) {
	const length, period, delay = 40 * time.Millisecond, 80 * time.Millisecond, 50 * time.Millisecond
	begin := time.Now() // a little before the app's clock
	d := newDriver(t, Config{StallFor: length, StallEvery: period, LateEvery: 2, LateBy: delay})
	if got, took := d.dial().ask("/planted"), time.Since(begin); got != good || took < length {
		t.Errorf("in the stall at the start %q comes after %v", got, took)
	}
	c := d.dial()
	if got := c.ask("/planted"); got != "" {
		t.Errorf("a late answer came at once: %q", got)
	}
	d.run("late answer", func() bool { return c.answer() != "" })
	// Asked after the first stall it is due within the second one, or else, on a slow machine, after that.
	if took := time.Since(begin); c.answer() != good || took < period+length {
		t.Errorf("due in a stall %q comes after %v", c.answer(), took)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		config Config
		want   string // in the error; "" for none
	}{
		{Config{}, ""},
		{Config{LateEvery: 50, LateBy: time.Millisecond, StallFor: time.Second, StallEvery: time.Minute, Serial: time.Millisecond,
			Calls: 1, Switches: 1, Leak: 1, Drift: 1, Mute: 1, Wrong: 1, Long: 1, Short: 1, Error: 1, Close: 1}, ""},
		{Config{LateEvery: 50}, "the delay of a late answer: 0s is out of range"},
		{Config{LateEvery: -1}, "-1 is out of range"},
		{Config{LateEvery: 1, LateBy: 2 * time.Hour}, "choose from 1µs to 1h0m0s"},
		{Config{StallFor: time.Second}, "the period of stalls: 0s"},
		{Config{StallFor: time.Second, StallEvery: time.Second}, "leaves no time to serve"},
		{Config{StallFor: -time.Second, StallEvery: time.Second}, "the length of a stall: -1s"},
		{Config{Serial: -1}, "the service time: -1ns"},
		{Config{Calls: 10_001}, "choose from 0 to 10000"},
		{Config{Switches: -1}, "the context switches of a request: -1"},
		{Config{Leak: 1 << 40}, "the bytes leaked"},
		{Config{Drift: -1}, "the drift: -1ns"},
		{Config{Mute: -1}, "the connections never answered: -1"},
		{Config{Close: -1}, "from one close to the next: -1"},
	} {
		err := test.config.Check()
		if _, also := Routes(test.config); (err == nil) != (also == nil) {
			t.Errorf("%+v: Check says %v, and Routes %v", test.config, err, also)
		}
		if got := fmt.Sprint(err); test.want == "" && err != nil || !strings.Contains(got, test.want) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
	}
}

func ExampleConfig_Holds() {
	fmt.Println(Config{Mute: 1}.Holds(), Config{Wrong: 10}.Holds())
	// Output: true false
}
