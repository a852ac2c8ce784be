package probe

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"corelab/results"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// sysctls are the kernel's settings that move what the lab measures.
var sysctls = []string{
	"net.core.somaxconn",
	"net.core.netdev_max_backlog",
	"net.core.rmem_max",
	"net.core.wmem_max",
	"net.core.busy_poll",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.tcp_tw_reuse",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_max_syn_backlog",
	"net.ipv4.tcp_max_tw_buckets",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_wmem",
	"net.ipv4.tcp_congestion_control",
	"net.ipv4.tcp_syncookies",
	"kernel.perf_event_paranoid",
	"kernel.kptr_restrict",
	"kernel.io_uring_disabled",
	"kernel.numa_balancing",
	"kernel.sched_autogroup_enabled",
	"fs.nr_open",
	"fs.file-max",
}

// Host describes the machine. What it cannot find out is left empty.
func Host() results.Host {
	h := System.host("/sys")
	h.Hostname, _ = os.Hostname()
	h.GoVersion = runtime.Version()
	if cpus, err := Allowed(); err == nil {
		h.CPUs = len(cpus)
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		h.OpenFiles = limit.Cur
	}
	return h
}

// host reads what files tell.
func (p Proc) host(sys string) results.Host {
	h := results.Host{Sysctl: make(map[string]string)}
	h.Kernel = firstLine(filepath.Join(p.dir, "sys/kernel/osrelease"))
	for _, name := range sysctls {
		if v := firstLine(filepath.Join(p.dir, "sys", strings.ReplaceAll(name, ".", "/"))); v != "" {
			h.Sysctl[name] = strings.Join(strings.Fields(v), " ")
		}
	}
	fs, err := procfs.NewFS(p.dir)
	if err != nil {
		return h
	}
	hypervisor := false
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		h.CPU = cpus[0].ModelName
		for _, flag := range cpus[0].Flags {
			hypervisor = hypervisor || flag == "hypervisor"
		}
	}
	if m, err := fs.Meminfo(); err == nil && m.MemTotal != nil {
		h.MemoryKiB = *m.MemTotal
	}
	h.Virtual = virtual(sys, hypervisor)
	return h
}

// virtual says what the machine runs in, as far as its firmware or its CPU tells; empty on bare metal.
func virtual(sys string, hypervisor bool) string {
	var known []string
	for _, file := range []string{"hypervisor/type", "class/dmi/id/sys_vendor", "class/dmi/id/product_name"} {
		v := firstLine(filepath.Join(sys, file))
		if v != "" && (hypervisor || file == "hypervisor/type") {
			known = append(known, v)
		}
	}
	if len(known) == 0 && hypervisor {
		return "virtual machine (the CPU says so, the firmware does not say which)"
	}
	return strings.Join(known, " ")
}

func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}

// tool is a program beside the lab that it can use.
type tool struct {
	name, install string
	version       []string // arguments that make it print its version
	prefix        string   // of the line that has it
	without       string   // what is left out without it
}

var tools = []tool{
	{"nginx", "apt-get install nginx-light", []string{"-v"}, "nginx version", "nginx is not measured"},
	{"wrk", "apt-get install wrk", []string{"-v"}, "wrk ", "the lab's own generator measures alone"},
	{"perf", "apt-get install linux-perf (Debian) or linux-tools-generic (Ubuntu)", []string{"--version"}, "perf version", "no flame graphs of the kernel"},
}

// Tools returns the version line of each outside program that is installed, and of each that is not what is left out and
// what would install it.
func Tools() (map[string]string, []results.Missing) {
	versions := make(map[string]string)
	var missing []results.Missing
	for _, t := range tools {
		path, err := exec.LookPath(t.name)
		if err != nil {
			missing = append(missing, results.Missing{
				Figure: t.name,
				Reason: fmt.Sprintf("not installed: %s; %s would install it", t.without, t.install),
			})
			continue
		}
		// wrk prints its version with exit code 1.
		out, _ := exec.Command(path, t.version...).CombinedOutput()
		versions[t.name] = versionLine(string(out), t.prefix)
	}
	return versions, missing
}

// versionLine returns the line that has the prefix, or that the program is there and says no version.
func versionLine(out, prefix string) string {
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return "installed, tells no version"
}
