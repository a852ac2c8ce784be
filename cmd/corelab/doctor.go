package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"corelab/results"
	"corelab/runner/probe"
	"corelab/runner/target"
)

// DoctorCmd examines the machine.
type DoctorCmd struct {
	JSON       bool   `help:"Print as JSON."`
	Coreserver string `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
}

// States of a finding.
const (
	fine     = "ok"
	limits   = "limits"   // everything runs; something is not measured, or less well
	prevents = "prevents" // some scenario cannot run at all
)

// finding is one thing that was looked at.
type finding struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// What the scenarios need of a machine.
const (
	wantFiles   = 20_000 // ten thousand idle connections, both ends' own, and room
	needFiles   = 4_096  // 1200 connections, and room
	wantBacklog = 4_096
	wantPorts   = 20_000 // ephemeral: churn uses one for each request, idle ten thousand at once
	muchSteal   = 0.02
	stealWindow = time.Second
)

// Run prints the findings; an error where one of them prevents something.
func (c *DoctorCmd) Run() error {
	found := c.examine(context.Background())
	var err error
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(found)
	} else {
		err = printFindings(os.Stdout, found)
	}
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.State == prevents {
			return exitError{exitFailed, "something prevents a part of the measurements: see above"}
		}
	}
	return nil
}

func (c *DoctorCmd) examine(ctx context.Context) []finding {
	host := probe.Host()
	found := []finding{c.cores(ctx), c.peers(ctx)}
	found = append(found, tools()...)
	found = append(found, cpus(), files(host.OpenFiles), calls(), profiles(probe.PerfAvailable()), scheduler(probe.SchedAvailable()), steal(), virtual(host))
	return append(found, kernel(os.ReadFile)...)
}

func (c *DoctorCmd) cores(ctx context.Context) finding {
	path, err := findCoreserver(ctx, c.Coreserver)
	if err == nil {
		var env target.Env
		if env, err = target.NewEnv(ctx, path); err == nil {
			return finding{Name: "coreserver", State: fine, Text: fmt.Sprintf("%d cores in %s", len(env.Cores), path)}
		}
	}
	return finding{"coreserver", prevents, err.Error(), "make build"}
}

// peers are the servers of the field, of which each can be missing.
func (c *DoctorCmd) peers(ctx context.Context) finding {
	path, err := findCoreserver(ctx, c.Coreserver)
	if err != nil {
		path = "" // then only those beside this program are found
	}
	env, err := target.NewEnv(ctx, path)
	if err != nil {
		return finding{"peers", limits, err.Error(), "make build"}
	}
	return peersFinding(env.List())
}

func peersFinding(list []target.Known) finding {
	var have, missing []string
	for _, k := range list {
		switch {
		case k.Kind != target.KindPeer:
		case k.Missing == "":
			have = append(have, k.Name)
		default:
			missing = append(missing, k.Name)
		}
	}
	text := fmt.Sprintf("%d to measure against: %s", len(have), strings.Join(have, ", "))
	if missing == nil {
		return finding{Name: "peers", State: fine, Text: text}
	}
	return finding{"peers", limits, text + "; missing: " + strings.Join(missing, ", "), "make tools build; \"corelab list\" says what each of them needs"}
}

// tools are the programs of others; everything else runs without them.
func tools() []finding {
	var out []finding
	have, missing := probe.Tools()
	for _, name := range []string{"wrk", "nginx", "perf"} {
		if v, ok := have[name]; ok {
			out = append(out, finding{Name: name, State: fine, Text: v})
		}
	}
	for _, m := range missing {
		out = append(out, finding{m.Figure, limits, m.Reason, ""})
	}
	return out
}

func cpus() finding {
	allowed, err := probe.Allowed()
	if err != nil {
		return finding{"CPUs", prevents, err.Error(), "allow sched_getaffinity"}
	}
	if _, err := probe.Place(probe.PlaceSplit); err != nil {
		return finding{"CPUs", limits, err.Error(), "give this machine a second CPU; the placement one works"}
	}
	text := fmt.Sprintf("CPU %s: server and generator can be apart", probe.CPUList(allowed))
	if len(allowed) < 4 {
		return finding{"CPUs", limits, text + ", but a generator on so few is often the limit: throughput is then shown as a lower bound", "read the CPU columns, or take a machine with 4 CPUs or more"}
	}
	return finding{Name: "CPUs", State: fine, Text: text}
}

func files(limit uint64) finding {
	text := fmt.Sprintf("a process may open %d files", limit)
	switch do := fmt.Sprintf("ulimit -n %d, or raise \"nofile\" in /etc/security/limits.conf", wantFiles); {
	case limit < needFiles:
		return finding{"open files", prevents, fmt.Sprintf("%s: too few for the scenario connections, which needs %d", text, needFiles), do}
	case limit < wantFiles:
		return finding{"open files", prevents, fmt.Sprintf("%s: too few for the scenario idle, which needs %d", text, wantFiles), do}
	}
	return finding{Name: "open files", State: fine, Text: text}
}

func calls() finding {
	if err := probe.CallsAvailable(); err != nil {
		return finding{"system calls", limits, err.Error(), "run as root where perf events and tracefs are allowed; everything else is measured"}
	}
	return finding{Name: "system calls", State: fine, Text: "can be counted by name"}
}

// profiles says whether perf can record where CPU time goes, for err.
func profiles(err error) finding {
	if err != nil {
		return finding{"profiles", limits, err.Error(), "until then profiles are Go's own, of our cores alone"}
	}
	return finding{Name: "profiles", State: fine, Text: "perf can sample where CPU time goes, in kernel and user code"}
}

// scheduler says whether perf can record where threads wait, for err.
func scheduler(err error) finding {
	if err != nil {
		return finding{"off-CPU", limits, err.Error(), "until then profiles are without where threads wait, and how long for a CPU"}
	}
	return finding{Name: "off-CPU", State: fine, Text: "perf can trace the scheduler: where threads wait, and how long for a CPU"}
}

// steal looks for a second at what others take.
func steal() finding {
	m := probe.OpenMachine()
	if err := m.Begin(); err != nil {
		return finding{"quiet", limits, err.Error(), "mount /proc"}
	}
	began := time.Now()
	time.Sleep(stealWindow)
	used, _ := m.End(0)
	allowed, err := probe.Allowed()
	if err != nil || len(allowed) == 0 {
		return finding{"quiet", limits, "the number of CPUs is not known", "allow sched_getaffinity"}
	}
	all := float64(time.Since(began)) * float64(len(allowed))
	stolen, others := float64(used.Steal)/all, float64(used.Others)/all
	text := fmt.Sprintf("in one second the hypervisor took %.1f %% of the CPUs and other processes %.1f %%", 100*stolen, 100*others)
	switch {
	case stolen > muchSteal:
		return finding{"quiet", limits, text, "measure when the host is less busy: trials that lost more than 5 % of their CPUs to others are left out, and a row that lost most of its rounds is not ranked"}
	case others > 5*muchSteal:
		return finding{"quiet", limits, text, "end what else runs; \"top\" shows it"}
	}
	return finding{Name: "quiet", State: fine, Text: text}
}

func virtual(h results.Host) finding {
	if h.Virtual == "" {
		return finding{Name: "machine", State: fine, Text: fmt.Sprintf("%s, %d CPUs, Linux %s", h.CPU, h.CPUs, h.Kernel)}
	}
	return finding{"machine", limits, fmt.Sprintf("%s, %d CPUs, Linux %s, %s: neighbours make absolute figures drift by 10 %% and more", h.CPU, h.CPUs, h.Kernel, h.Virtual),
		"compare within a run only; its rounds are interleaved for that"}
}

// kernel reads the settings that bound or bend a measurement. read is os.ReadFile but in tests.
func kernel(read func(string) ([]byte, error)) []finding {
	setting := func(path string) (string, bool) {
		b, err := read(path)
		return strings.TrimSpace(string(b)), err == nil
	}
	var out []finding
	if v, ok := setting("/proc/sys/net/core/somaxconn"); ok {
		out = append(out, atLeast("somaxconn", v, wantBacklog, "connections that wait to be accepted", "sysctl -w net.core.somaxconn=4096"))
	}
	if v, ok := setting("/proc/sys/net/ipv4/ip_local_port_range"); ok {
		out = append(out, ports(v))
	}
	if v, ok := setting("/proc/sys/net/ipv4/tcp_tw_reuse"); ok {
		f := finding{Name: "tcp_tw_reuse", State: fine, Text: v}
		if v == "0" {
			f = finding{"tcp_tw_reuse", limits, "0: churn may run out of ports within its first seconds", "sysctl -w net.ipv4.tcp_tw_reuse=2"}
		}
		out = append(out, f)
	}
	if v, ok := setting("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"); ok {
		f := finding{Name: "governor", State: fine, Text: v}
		if v != "performance" {
			f = finding{"governor", limits, v + ": the CPU's frequency follows the load, and CPU time with it", "cpupower frequency-set -g performance"}
		}
		out = append(out, f)
	}
	if v, ok := setting("/proc/sys/kernel/io_uring_disabled"); ok && v != "0" {
		out = append(out, finding{"io_uring", limits, "switched off (io_uring_disabled=" + v + "); what waits by it cannot run", "sysctl -w kernel.io_uring_disabled=0"})
	}
	return out
}

func atLeast(name, value string, want int, what, do string) finding {
	n, err := strconv.Atoi(value)
	if err != nil || n < want {
		return finding{name, limits, fmt.Sprintf("%s, of %d wanted: %s", value, want, what), do}
	}
	return finding{Name: name, State: fine, Text: value}
}

func ports(value string) finding {
	f := strings.Fields(value)
	if len(f) == 2 {
		low, err1 := strconv.Atoi(f[0])
		high, err2 := strconv.Atoi(f[1])
		if err1 == nil && err2 == nil && high-low+1 >= wantPorts {
			return finding{Name: "ports", State: fine, Text: fmt.Sprintf("%d to %d for clients", low, high)}
		}
	}
	return finding{"ports", limits, fmt.Sprintf("clients have the ports %s: fewer than %d", value, wantPorts), "sysctl -w net.ipv4.ip_local_port_range='10000 65000'"}
}

func printFindings(w io.Writer, found []finding) error {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-8s  %-12s  %s\n", f.State, f.Name, f.Text)
		if f.State != fine && f.Do != "" {
			fmt.Fprintf(&b, "%-8s  %-12s  → %s\n", "", "", f.Do)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
