package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"corelab/runner/target"
)

func TestKernelSettings(t *testing.T) {
	good := map[string]string{
		"/proc/sys/net/core/somaxconn":                          "4096\n",
		"/proc/sys/net/ipv4/ip_local_port_range":                "32768\t60999\n",
		"/proc/sys/net/ipv4/tcp_tw_reuse":                       "2\n",
		"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
		"/proc/sys/kernel/io_uring_disabled":                    "0\n",
	}
	for path, bad := range map[string]string{
		"/proc/sys/net/core/somaxconn":                          "128\n",
		"/proc/sys/net/ipv4/ip_local_port_range":                "50000\t60999\n",
		"/proc/sys/net/ipv4/tcp_tw_reuse":                       "0\n",
		"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
		"/proc/sys/kernel/io_uring_disabled":                    "2\n",
		"":                                                      "",
	} {
		var limited []string
		for _, f := range kernel(func(name string) ([]byte, error) {
			if name == path {
				return []byte(bad), nil
			}
			return []byte(good[name]), nil
		}) {
			if f.State != fine {
				limited = append(limited, f.Name)
				if f.Do == "" {
					t.Errorf("%s: nothing to do about it", f.Name)
				}
			}
		}
		if (path == "") != (len(limited) == 0) || len(limited) > 1 {
			t.Errorf("%s = %q: found %v", path, bad, limited)
		}
	}
	if found := kernel(func(string) ([]byte, error) { return nil, os.ErrNotExist }); found != nil {
		t.Errorf("settings that are not there: %+v", found)
	}
}

func TestOpenFiles(t *testing.T) {
	for limit, want := range map[uint64]string{1024: prevents, 5000: prevents, wantFiles: fine, 1 << 20: fine} {
		if f := files(limit); f.State != want {
			t.Errorf("%d: %+v", limit, f)
		}
	}
}

func TestProfilesFindings(t *testing.T) {
	why := errors.New("perf is not installed")
	for name, f := range map[string]func(error) finding{"profiles": profiles, "off-CPU": scheduler} {
		if got := f(nil); got.Name != name || got.State != fine || got.Text == "" {
			t.Errorf("%+v", got)
		}
		if got := f(why); got.Name != name || got.State != limits || got.Text != why.Error() || got.Do == "" {
			t.Errorf("%+v", got)
		}
	}
}

func TestPrintFindings(t *testing.T) {
	var b bytes.Buffer
	if err := printFindings(&b, []finding{{"wrk", limits, "is missing", "apt-get install wrk"}, {"nginx", fine, "1.22", "never shown"}}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "→ apt-get install wrk") || strings.Contains(got, "never shown") {
		t.Error(got)
	}
}

func TestCoresFindings(t *testing.T) {
	cores := []target.Core{{Name: "reactor"}, {Name: "uring"}}
	if got := coresFindings("bin/coreserver", cores); len(got) != 2 || got[0].Text != "2 cores in bin/coreserver" || got[1].Name != "io_uring" || got[1].State != fine {
		t.Errorf("all can run: %+v", got)
	}
	cores[1].Missing = "no io_uring"
	if got := coresFindings("bin/coreserver", cores); len(got) != 2 || got[1].Name != "uring" || got[1].State != limits || got[1].Text != "no io_uring" || got[1].Do == "" {
		t.Errorf("one cannot run: %+v", got)
	}
}

func TestPeersFinding(t *testing.T) {
	list := []target.Known{{Name: "reactor", Kind: target.KindCore}, {Name: "nginx", Kind: target.KindPeer}, {Name: "gnet", Kind: target.KindPeer}}
	if f := peersFinding(list); f.State != fine || f.Text != "2 to measure against: nginx, gnet" {
		t.Errorf("%+v", f)
	}
	list[2].Missing = "gnet is not built"
	if f := peersFinding(list); f.State != limits || f.Text != "1 to measure against: nginx; missing: gnet" || f.Do == "" {
		t.Errorf("%+v", f)
	}
}
