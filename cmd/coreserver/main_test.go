package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"corelab/httpcore"
	"corelab/servers"
)

func TestUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args string
		want string // in the error
	}{
		{"--core nothing", `there is no core "nothing"; choose --core from ` + coreNames()},
		{"--app nothing", `there is no app "nothing"; choose --app from lab`},
		{"--nothing", "coreserver --help lists the flags"},
		{"--workers x", "coreserver --help lists the flags"},
		{"serve", `unexpected argument "serve"`},
		{"--addr :8080", `write it like --addr 127.0.0.1:8080`},
		{"--addr example.com:80", `write it like --addr 127.0.0.1:8080`},
		{"--pprof 6060", `write it like --pprof 127.0.0.1:8080`},
		{"--workers 0", "--workers 0 is out of range"},
		{"--threads -1", "--threads -1 is out of range"},
		{"--backlog 0", "--backlog 0 is out of range"},
		{"--procs -1", "--procs -1 is out of range"},
		{"--grace 0s", "give one above 0"},
		{"--limit-head -1", "--limit-head must not be negative"},
		{"--linger -1s", "--linger must not be negative"},
		{"--json", "add --list"},
		{"--stats-fd 2", "--stats-fd 2 is no open descriptor above 2"},
		{"--stats-fd 987654", "--stats-fd 987654 is no open descriptor"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(strings.Fields(test.args), &stdout, &stderr)
		got := stderr.String()
		if code != exitUsage || stdout.Len() > 0 || !strings.HasPrefix(got, "coreserver: ") || !strings.Contains(got, test.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: exit code %d, output %q, errors %q", test.args, code, stdout.String(), got)
		}
	}
}

func TestOperatingErrors(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	tests := [][]string{
		{"--addr 127.0.0.1:0 --static /nothing/there", "--static"},
		{"--addr 127.0.0.1:0 --pprof " + addr, "--pprof " + addr},
		{"--addr 192.0.2.1:80", "--addr 192.0.2.1:80"}, // TEST-NET-1, no machine's
	}
	for _, c := range servers.Cores {
		tests = append(tests, []string{"--core " + c.Name + " --addr " + addr, "--addr " + addr})
	}
	for _, test := range tests {
		var stderr bytes.Buffer
		cmd := exec.Command(binary, strings.Fields(test[0])...)
		cmd.Stderr = &stderr
		cmd.WaitDelay = bound
		late := time.AfterFunc(bound, func() { cmd.Process.Kill() })
		out, _ := cmd.Output()
		late.Stop()
		got := stderr.String()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || len(out) > 0 || !strings.Contains(got, test[1]) || !strings.Contains(got, "; ") {
			t.Errorf("%s: exit code %d, output %q, errors %q", test[0], code, out, got)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for flag, want := range map[string]string{"--help": "-limit-head bytes", "-h": "-core core", "--version": "coreserver "} {
		var stdout, stderr bytes.Buffer
		if code := run([]string{flag}, &stdout, &stderr); code != 0 || stderr.Len() > 0 || !strings.Contains(stdout.String(), want) {
			t.Errorf("%s: exit code %d, output %q, errors %q", flag, code, stdout.String(), stderr.String())
		}
	}
}

func TestList(t *testing.T) {
	var text, doc bytes.Buffer
	if run([]string{"--list"}, &text, io.Discard) != 0 || run([]string{"--list", "--json"}, &doc, io.Discard) != 0 {
		t.Fatal("--list fails")
	}
	var l listing
	if err := json.Unmarshal(doc.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Cores) != len(servers.Cores) || len(l.Apps) == 0 || bytes.Contains(doc.Bytes(), []byte("null")) {
		t.Errorf("the list is %s", doc.String())
	}
	for i, c := range servers.Cores {
		if l.Cores[i].Name != c.Name || l.Cores[i].Doc != c.Doc || len(l.Cores[i].Lacks) != len(c.Lacks) {
			t.Errorf("%s is listed as %+v", c.Name, l.Cores[i])
		}
		if !strings.Contains(text.String(), c.Doc) {
			t.Errorf("%s is not in the text", c.Name)
		}
	}
	found := false
	for _, r := range l.Apps[0].Routes {
		found = found || r == listedRoute{"GET", "/users/:id"}
	}
	if !found {
		t.Errorf("the routes are %v", l.Apps[0].Routes)
	}
}

// TestEveryLimitHasAFlag sets each limit by its flag and finds it in the field.
func TestEveryLimitHasAFlag(t *testing.T) {
	var o options
	set := flags(&o, new(texts))
	fields := reflect.TypeOf(o.limits).NumField()
	if len(limitFlags) != fields {
		t.Fatalf("%d flags for %d limits", len(limitFlags), fields)
	}
	for _, l := range limitFlags {
		value := "7"
		if _, isDuration := l.field(&o.limits).(*time.Duration); isDuration {
			value = "7ns"
		}
		if err := set.Parse([]string{"--" + l.name, value}); err != nil {
			t.Fatal(err)
		}
	}
	v := reflect.ValueOf(o.limits)
	for i := range fields {
		if v.Field(i).Int() != 7 {
			t.Errorf("no flag sets %s", v.Type().Field(i).Name)
		}
	}
}

func TestDefaultsAreTheLimits(t *testing.T) {
	o, err := parse([]string{"--core", servers.Cores[0].Name})
	if err != nil {
		t.Fatal(err)
	}
	if o.limits != httpcore.DefaultLimits {
		t.Errorf("the limits are %+v", o.limits)
	}
	if o.procs != servers.Cores[0].Procs(o.servers) {
		t.Errorf("%d Ps for %d workers", o.procs, o.servers.Workers)
	}
	if _, err := parse([]string{"--addr", "localhost:0"}); err != nil {
		t.Error(err)
	}
	if _, err := parse([]string{"-h"}); err != flag.ErrHelp {
		t.Errorf("-h gives %v", err)
	}
}

// TestAnswerStats talks to the service over a pair of pipes, in every way that a starter may ask.
func TestAnswerStats(t *testing.T) {
	workers := func() []servers.WorkerStats {
		return []servers.WorkerStats{{Accepted: 1, Open: 2, Requests: 3, Errors: 4}}
	}
	for asked, answers := range map[string]int{"": 0, "\n": 1, "stats\n": 1, "x": 1, "\n\n\n": 3, "profile end\n\n": 2} {
		conn := &duplex{Reader: strings.NewReader(asked)}
		if err := answerStats(conn, workers, nil); err != nil {
			t.Error(err)
		}
		if n := strings.Count(conn.String(), "\n"); n != answers {
			t.Errorf("%q gets %d answers", asked, n)
		}
		if want := `"workers":[{"accepted":1,"open":2,"requests":3,"errors":4}]}`; answers > 0 && !strings.Contains(conn.String(), want) {
			t.Errorf("%q gets %s", asked, conn.String())
		}
	}
	closed, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if err := answerStats(closed, workers, nil); err == nil {
		t.Error("a descriptor that cannot be read is no error")
	}
}

// duplex reads what is asked and keeps what is answered.
type duplex struct {
	io.Reader
	bytes.Buffer
}

func (d *duplex) Read(p []byte) (int, error) { return d.Reader.Read(p) }
