package probe

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// switches writes what perf prints of the scheduler, a line for each of: "MS out TID STATE", "MS in TID", "MS wake TID", "MS lost".
func scheduled(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		var ms, tid int
		var what, state string
		fmt.Sscan(line, &ms, &what, &tid, &state)
		head := func(comm string, pid, tid int) {
			fmt.Fprintf(&b, "%s %d/%d [000] %d.%03d000000: ", comm, pid, tid, ms/1000, ms%1000)
		}
		switch what {
		case "out":
			head("server", 100, tid)
			fmt.Fprintf(&b, "1 sched:sched_switch: prev_comm=server prev_pid=%d prev_prio=120 prev_state=%s ==> next_comm=swapper/0 next_pid=0 next_prio=120\n", tid, state)
			fmt.Fprintf(&b, "\tffffffff81000000 schedule ([kernel.kallsyms])\n\t401000 wait%d (/opt/server)\n\n", tid)
		case "in":
			head("swapper", 0, 0)
			fmt.Fprintf(&b, "1 sched:sched_switch: swapper/0:0 [120] R ==> server:%d [120]\n\tffffffff81000000 schedule_idle ([kernel.kallsyms])\n\n", tid)
		case "wake":
			head("client", 200, 200)
			fmt.Fprintf(&b, "1 sched:sched_wakeup: comm=a pid=1 prio=0 b pid=%d prio=120 target_cpu=000 ffffffff81 ttwu ([kernel.kallsyms])\n", tid)
		case "lost":
			head("swapper", 0, 0)
			b.WriteString("PERF_RECORD_LOST lost 5\n")
		}
	}
	return b.String()
}

func TestOffCPU(t *testing.T) {
	const ms = time.Millisecond
	const stack = ";wait101@server;schedule@[kernel.kallsyms] "
	for name, tt := range map[string]struct {
		script string
		want   string // folded, ms for ns
		waits  []time.Duration
		unseen uint64
	}{
		"it sleeps, is woken and runs":                {"10 out 101 S\n15 wake 101\n17 in 101\n20 in 0", "server" + stack + "1 7", []time.Duration{2 * ms}, 0},
		"it has to make way":                          {"10 out 101 R\n15 in 101", "server;[preempted]" + stack + "1 5", nil, 0},
		"it has to make way, as newer kernels say it": {"10 out 101 R+\n15 in 101", "server;[preempted]" + stack + "1 5", nil, 0},
		"it sleeps to the end":                        {"10 out 101 D\n19 out 7 S", "server" + stack + "1 9", nil, 0},
		"it is woken at the end":                      {"10 out 101 S\n19 wake 101", "server" + stack + "1 9", nil, 1},
		"it slept from before the begin":              {"10 wake 101\n13 in 101", "", []time.Duration{3 * ms}, 0},
		"it is woken before it sleeps":                {"10 in 101\n11 wake 101\n12 out 101 S\n15 wake 101\n15 wake 101\n16 in 101", "server" + stack + "1 4", []time.Duration{ms}, 0},
		"a wake-up that found it running":             {"10 wake 101\n12 out 101 S\n15 in 101", "server" + stack + "1 3", nil, 0},
		"it ends":                                     {"10 out 101 X\n15 in 0", "", nil, 0},
		"something was lost":                          {"10 out 101 S\n11 wake 101\n12 lost\n15 in 101\n16 out 101 S\n18 in 101", "server" + stack + "1 2", nil, 0},
		"another's wake-up":                           {"10 out 101 S\n11 wake 55\n15 in 101", "server" + stack + "1 5", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSchedConverter(serving(map[int]string{100: "server"}), []int{101})
			if _, err := readScript(strings.NewReader(scheduled(tt.script)), c); err != nil {
				t.Fatal(err)
			}
			c.end()
			s := &Sampled{Elapsed: 20 * ms}
			if err := c.profile(s); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for line := range strings.Lines(folded(s.Profile)) {
				if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, "wait7") {
					lines = append(lines, strings.TrimSuffix(line, "000000"))
				}
			}
			if got := strings.Join(lines, "\n"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if c.wakeUps.Unseen != tt.unseen {
				t.Errorf("%d wake-ups unseen, want %d", c.wakeUps.Unseen, tt.unseen)
			}
			latency, err := c.wakeUps.Latency()
			if err != nil {
				t.Fatal(err)
			}
			if len(tt.waits) == 0 {
				if latency != nil {
					t.Errorf("waits %+v, want none", latency)
				}
				return
			}
			// Three digits: within a thousandth.
			if latency == nil || latency.Count != uint64(len(tt.waits)) || latency.Max.Round(tt.waits[0]/100) != tt.waits[0] {
				t.Errorf("waits %+v, want %v", latency, tt.waits)
			}
		})
	}
}

func TestParseSched(t *testing.T) {
	for fields, want := range map[string]string{
		"prev_comm=a ==> b prev_pid=7 prev_prio=120 prev_state=R+ ==> next_comm=x next_pid=5 next_prio=9 next_pid=8 next_prio=120": "R+ 8",
		"a b:7 [120] S ==> swapper/0:0 [120]":    "S 0",
		"a b:7 [-51] D|K ==> x:1 [2] y:12 [120]": "D|K 12",
		"prev_comm=a prev_pid=7 prev_state=S":    "",
		"prev_comm=a prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=x next_pid=99999999999 next_prio=120": "",
		"": "",
	} {
		got := ""
		if state, next, ok := parseSwitch(fields); ok {
			got = fmt.Sprint(state, " ", next)
		}
		if got != want {
			t.Errorf("switch %q: %q, want %q", fields, got, want)
		}
	}
	for fields, want := range map[string]int{
		"comm=a pid=3 prio=1 pid=12 prio=120 target_cpu=001":                 12,
		"comm=a pid=12 prio=120 success=1 target_cpu=001 ffff ttwu (kernel)": 12,
		"a:3 [1]:12 [120] success=1 CPU:001":                                 12,
		"a:12 [120]<CANT FIND FIELD success> CPU:000 ffff ttwu (kernel)":     12,
		"comm=a prio=120": 0,
		"":                0,
	} {
		if got, ok := parseWakeup(fields); got != want || ok != (want != 0) {
			t.Errorf("wake-up %q: %d, %v, want %d", fields, got, ok, want)
		}
	}
}

// TestOffCPURecorded reads what perf recorded of a core with a thread for each of its clients.
func TestOffCPURecorded(t *testing.T) {
	f, err := os.Open("testdata/perf/sched.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := newSchedConverter(serving(map[int]string{8342: "coreserver"}), nil)
	counts, err := readScript(f, c)
	if err != nil || counts.broken > 0 {
		t.Fatalf("%+v, %v", counts, err)
	}
	c.end()
	s := &Sampled{Event: eventSwitch, Elapsed: time.Second}
	if err := c.profile(s); err != nil {
		t.Fatal(err)
	}
	latency, err := c.wakeUps.Latency()
	if err != nil || latency == nil {
		t.Fatal(latency, err)
	}
	latency.HDR = "" // the whole histogram, which its own package tests
	golden(t, "sched.golden", fmt.Sprintf("%s%d samples, %d others, waits %+v, %d unseen\n", folded(s.Profile), s.Samples, s.Others, *latency, c.wakeUps.Unseen))
}
