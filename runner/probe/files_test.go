package probe

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"corelab/results"
)

// testdata/before and after are an nginx (master 100, workers 101 and 102) and a ksoftirqd (14) around a second of load, as
// a kernel wrote them; the tick of steal is added. Their CPU clocks are these.
func recorded(moment string) Proc {
	clocks := map[string]map[int]time.Duration{
		"before": {14: 20 * time.Millisecond, 100: time.Millisecond, 101: 2 * time.Millisecond, 102: 3 * time.Millisecond},
		"after":  {14: 25 * time.Millisecond, 100: time.Millisecond, 101: 602 * time.Millisecond, 102: 343 * time.Millisecond},
	}
	return Proc{filepath.Join("testdata", moment), func(pid int) (time.Duration, error) {
		if cpu, found := clocks[moment][pid]; found {
			return cpu, nil
		}
		return 0, errors.New("no such process")
	}}
}

func TestProcessFromFiles(t *testing.T) {
	before, after := recorded("before"), recorded("after")
	if got := before.Tree(100); !slices.Equal(got, []int{100, 101, 102}) {
		t.Fatalf("Tree(100) = %v", got)
	}
	p := &Process{proc: before, pids: func() []int { return before.Tree(100) }}
	if err := p.Begin(); err != nil {
		t.Fatal(err)
	}
	p.proc = after
	u, missing := p.End()
	u.Elapsed = 0
	want := results.Usage{
		CPU: 940 * time.Millisecond, User: u.User, System: u.System, // 16 and 79 ticks
		Voluntary: 5806 + 11557, Involuntary: 1038 + 131, MinorFaults: 12 + 14,
		RSSKiB: 1628 + 4128 + 4128, PeakRSSKiB: 1628 + 4128 + 4128, Files: 33, Threads: 3, Affinity: "0-1",
	}
	if u != want || len(missing) != 0 {
		t.Errorf("got  %+v, missing %v\nwant %+v", u, missing, want)
	}
	if share := float64(u.User) / float64(u.CPU); share < 0.168 || share > 0.169 || u.User+u.System != u.CPU {
		t.Errorf("user %v, system %v: not 16 to 79", u.User, u.System)
	}
}

func TestMachineFromFiles(t *testing.T) {
	m := &Machine{proc: recorded("before")}
	if err := m.Begin(); err != nil {
		t.Fatal(err)
	}
	m.began.at = m.began.at.Add(-4 * time.Second)
	m.proc = recorded("after")
	d, missing := m.End(940 * time.Millisecond)
	round := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	// Busy: 31 + 120 + 54 ticks, 2.05 s.
	got := results.Machine{Steal: round(d.Steal), Idle: round(d.Idle), SoftIRQ: round(d.SoftIRQ), KSoftIRQd: d.KSoftIRQd, Others: round(d.Others)}
	want := results.Machine{
		Steal: 10 * time.Millisecond, Idle: 340 * time.Millisecond, SoftIRQ: 540 * time.Millisecond,
		KSoftIRQd: 5 * time.Millisecond, Others: 1110 * time.Millisecond,
	}
	if !reflect.DeepEqual(got, want) || len(missing) != 0 {
		t.Errorf("got  %+v, missing %v\nwant %+v", got, missing, want)
	}
	m.began.at = time.Now().Add(-700 * time.Millisecond) // of two CPUs, 340 ms idle: 1.06 s are left at the most
	if d, _ := m.End(940 * time.Millisecond); d.Others < 120*time.Millisecond || d.Others >= 1110*time.Millisecond {
		t.Errorf("others used %v, want what was not idle", d.Others)
	}
	if d, _ := m.End(time.Hour); d.Others != 0 {
		t.Errorf("others used %v beside all the time there was", d.Others)
	}
	m.proc = Proc{dir: t.TempDir()}
	if _, missing := m.End(0); !has(missing, "machine") {
		t.Errorf("without files nothing is missing: %v", missing)
	}
	if err := m.Begin(); err == nil {
		t.Error("Begin without files succeeds")
	}
}

func TestMachineHere(t *testing.T) {
	m := OpenMachine()
	if err := m.Begin(); err != nil {
		t.Fatal(err)
	}
	begin, cpu := time.Now(), time.Duration(0)
	start, err := cpuClock(os.Getpid())
	for cpu < 50*time.Millisecond && err == nil {
		var now time.Duration
		now, err = cpuClock(os.Getpid())
		cpu = now - start
	}
	if err != nil {
		t.Fatal(err)
	}
	d, _ := m.End(cpu)
	if m.began.cpus < runtime.NumCPU() {
		t.Errorf("a machine of %d CPUs, of which this process may use %d", m.began.cpus, runtime.NumCPU())
	}
	limit := time.Duration(m.began.cpus)*time.Since(begin) + 100*time.Millisecond
	if d.Idle+d.Others+d.Steal > limit {
		t.Errorf("%+v is more than there was, %v", d, limit)
	}
}

func TestHostFromFiles(t *testing.T) {
	h := recorded("before").host(t.TempDir())
	if h.Kernel != "6.18.44-fc-v657" || h.MemoryKiB != 24684092 {
		t.Errorf("%+v", h)
	}
	if h.Sysctl["net.core.somaxconn"] != "4096" || h.Sysctl["net.ipv4.ip_local_port_range"] != "32768 60999" || len(h.Sysctl) != 2 {
		t.Errorf("sysctls %v", h.Sysctl)
	}
	if runtime.GOARCH == "amd64" && (h.CPU != "AMD EPYC" || !strings.HasPrefix(h.Virtual, "virtual machine")) {
		t.Errorf("CPU %q, virtual %q", h.CPU, h.Virtual)
	}
}

func TestVirtual(t *testing.T) {
	sys := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if got := virtual(sys, false); got != "" {
		t.Errorf("bare metal is %q", got)
	}
	write("class/dmi/id/sys_vendor", "QEMU")
	write("class/dmi/id/product_name", "Standard PC")
	if got := virtual(sys, false); got != "" {
		t.Errorf("a vendor alone makes it %q", got)
	}
	if got := virtual(sys, true); got != "QEMU Standard PC" {
		t.Errorf("a virtual machine is %q", got)
	}
}

func TestHostHere(t *testing.T) {
	h := Host()
	if h.Hostname == "" || h.Kernel == "" || h.CPUs < 1 || h.MemoryKiB == 0 || h.OpenFiles == 0 || !strings.HasPrefix(h.GoVersion, "go") {
		t.Errorf("%+v", h)
	}
	if h.Sysctl["net.core.somaxconn"] == "" {
		t.Errorf("sysctls %v", h.Sysctl)
	}
}

func TestTools(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	versions, missing := Tools()
	if len(versions) != 0 || len(missing) != len(tools) || !strings.Contains(missing[0].Reason, "apt-get install nginx-light") {
		t.Errorf("nothing is installed: %v, %v", versions, missing)
	}
	script := "#!/bin/sh\necho 'wrk 4.1.0 [epoll] Copyright'\necho Usage\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "wrk"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if versions, missing = Tools(); versions["wrk"] != "wrk 4.1.0 [epoll] Copyright" || len(missing) != len(tools)-1 {
		t.Errorf("wrk is installed: %v, %v", versions, missing)
	}
	if got := versionLine("Segmentation fault", "perf version"); got != "installed, tells no version" {
		t.Errorf("versionLine: %q", got)
	}
}
