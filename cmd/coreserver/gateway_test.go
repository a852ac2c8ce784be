package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"corelab/servers"
)

const adminKey = "0123456789abcdef0123456789abcdef"

// example is apps/gateway/example.toml with the addresses of a test, in a file of its own.
func example(t *testing.T, upstream string) (path string) {
	t.Helper()
	src, err := os.ReadFile("../../apps/gateway/example.toml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	for _, change := range [][2]string{
		{`address = "127.0.0.1:8081"`, fmt.Sprintf("address = %q", upstream)},
		{`listen = "127.0.0.1:9901"`, `listen = "127.0.0.1:0"`},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("the example has %s not once", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	path = filepath.Join(t.TempDir(), "gateway.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// behind is a gateway of the example, and the lab behind it.
type behind struct {
	*process
	lab    *process
	config string
	admin  string
}

// startBehind starts both.
func startBehind(t *testing.T, core string) *behind {
	t.Helper()
	t.Setenv("GATEWAY_ADMIN_KEY", adminKey)
	b := &behind{lab: start(t, "--core", "epoll", "--app", "lab")}
	b.config = example(t, strings.TrimPrefix(b.lab.url, "http://"))
	b.process = start(t, "--core", core, "--workers", "2", "--threads", "8", "--app", "gateway", "--config", b.config)
	b.admin = adminOf(t, &b.stderr)
	return b
}

// adminOf waits until a process has said where its admin interface is.
func adminOf(t *testing.T, stderr *log) (url string) {
	t.Helper()
	await(t, "it says where the admin interface is", func() bool {
		if m := regexp.MustCompile(`admin interface on (http://\S+)\n`).FindStringSubmatch(stderr.String()); m != nil {
			url = m[1]
		}
		return url != ""
	})
	return url
}

// call sends one request to url, with field lines as name, value, name, value.
func call(t *testing.T, method, url, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	client := http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatalf("%s %s: %v after %q", method, url, err, text)
	}
	return a, string(text)
}

// TestExample runs the example's configuration on every core that can, and asks what its comments say.
func TestExample(t *testing.T) {
	for _, core := range servers.Cores {
		if lacks(core, servers.Parsing) || lacks(core, servers.KeepAlive) {
			continue
		}
		t.Run(core.Name, func(t *testing.T) {
			b := startBehind(t, core.Name)
			for _, c := range []struct {
				method, path, body string
				fields             []string
				status             int
				want               string
			}{
				{"GET", "/lab/plaintext", "", nil, 200, "Hello, World!"},
				{"GET", "/lab/users/%41?x", "", nil, 200, "%41"},
				{"POST", "/lab/echo", strings.Repeat("x", 100_000), nil, 200, strings.Repeat("x", 100_000)},
				{"GET", "/lab/bytes/300000", "", nil, 200, strings.Repeat("abcdefghijklmnopqrstuvwxyz", 300_000/26+1)[:300_000]},
				{"GET", "/lab/nothing", "", nil, 404, "Not Found\n"},
				{"GET", "/private/users/7", "", nil, 401, ""},
				{"GET", "/private/users/7", "", []string{"X-API-Key", "wrong"}, 401, ""},
				{"GET", "/private/users/7", "", []string{"X-API-Key", "demo-key-of-the-example"}, 200, "7"},
				{"DELETE", "/private/users/7", "", []string{"X-API-Key", "demo-key-of-the-example"}, 405, ""},
				{"GET", "/elsewhere", "", nil, 404, ""},
				{"GET", "/health", "", nil, 200, "ok\n"},
				{"GET", "/ready", "", nil, 200, "ready\n"},
			} {
				a, text := call(t, c.method, b.url+c.path, c.body, c.fields...)
				if a.StatusCode != c.status || c.want != "" && text != c.want {
					t.Errorf("%s %s: %s, %.60q", c.method, c.path, a.Status, text)
				}
				if served := a.Header.Get("X-Served-By"); (served != "") != strings.HasPrefix(c.path, "/lab/") {
					t.Errorf("%s: X-Served-By is %q", c.path, served)
				}
				if id := a.Header.Get("X-Request-Id"); len(id) != 32 && !strings.HasPrefix(c.path, "/health") && !strings.HasPrefix(c.path, "/ready") {
					t.Errorf("%s: X-Request-Id is %q", c.path, id)
				}
			}
			var metrics string
			for _, want := range []string{`gateway_requests_total{route="private",status="401"} 2`, `gateway_requests_total{route="lab",status="404"} 1`,
				`gateway_shards_late 0`, `gateway_requests_in_flight{route="lab"} 0`} {
				await(t, want, func() bool { // the last answer may be taken before its request has ended
					_, metrics = call(t, "GET", b.admin+"/metrics", "")
					return strings.Contains(metrics, want+"\n")
				})
			}
			promtool(t, metrics)
			b.signal(syscall.SIGTERM)
			if code, _ := b.wait(); code != 0 {
				t.Errorf("exit code %d: %s", code, b.stderr.String())
			}
		})
	}
}

// promtool has Prometheus's own tool judge an exposition.
func promtool(t *testing.T, text string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not installed: the metrics were not judged by it")
		return
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s\n%s", err, out, text)
	}
}

// TestReloadUnderLoad takes over new configurations, by all three ways, while requests come: none fails.
func TestReloadUnderLoad(t *testing.T) {
	b := startBehind(t, "reactor")
	src, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	load := newSteadyOf(strings.TrimPrefix(b.url, "http://"), "/lab/plaintext")
	load.answered(t, 100)
	reloads := times("CORELAB_RELOADS", 30)
	for i := range reloads {
		changed := fmt.Sprintf("%s\n[[routes]]\nname = \"more\"\npath = \"/more/%d\"\n", src, i)
		if i%3 == 2 {
			changed = strings.Replace(changed, "name = \"more\"", "nome = \"more\"", 1)
		}
		a, text := call(t, "PUT", b.admin+"/config", changed, "Authorization", "Bearer "+adminKey)
		if broken := i%3 == 2; broken != (a.StatusCode == 422) || broken != strings.Contains(text, "routes.2.nome: no such key") {
			t.Fatalf("reload %d: %s: %s", i, a.Status, text)
		}
		load.answered(t, 5)
	}
	taken := reloads - reloads/3
	for _, how := range []func(){
		func() { b.signal(syscall.SIGHUP) },
		func() {
			if err := os.WriteFile(b.config, append(src, "\n# changed\n"...), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		func() { call(t, "POST", b.admin+"/reload", "", "Authorization", "Bearer "+adminKey) },
	} {
		how()
		taken++
		await(t, "a configuration is taken over", func() bool {
			_, text := call(t, "GET", b.admin+"/metrics", "")
			return strings.Contains(text, fmt.Sprintf("gateway_config_reloads_total{result=\"taken\"} %d\n", taken))
		})
		load.answered(t, 5)
	}
	load.stop(t)
	t.Logf("%d reloads, %d answers, %d requests crossed the end of their connection", reloads+3, load.answers.Load(), load.crossed.Load())
}

// TestRefusedConfiguration does not begin with a broken one, and says all that is wrong.
func TestRefusedConfiguration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.toml")
	if err := os.WriteFile(path, []byte("[admin]\nlisten = \"10.0.0.1:1\"\n[[route]]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "--app", "gateway", "--config", path).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != exitFailed ||
		!strings.Contains(string(out), path+":3:3: route: no such key is known here; there are admin,") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestGatewayRestart hands the serving port and the admin port to a new process.
func TestGatewayRestart(t *testing.T) {
	t.Setenv("GATEWAY_ADMIN_KEY", adminKey)
	lab := start(t, "--core", "epoll", "--app", "lab")
	config := example(t, strings.TrimPrefix(lab.url, "http://"))
	s := begin(t, "--core", "reactor", "--workers", "2", "--app", "gateway", "--config", config)
	admin := adminOf(t, &s.stderr)
	load := newSteadyOf(s.addr, "/lab/plaintext")
	load.answered(t, 100)
	for range times("CORELAB_RESTARTS", 2) {
		old := s.pid
		if err := syscall.Kill(old, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		s.serves()
		load.answered(t, 100)
		await(t, "the old process has ended", func() bool { return gone(old) })
		a, text := call(t, "GET", admin+"/config", "", "Authorization", "Bearer "+adminKey)
		if a.StatusCode != 200 || !strings.HasPrefix(text, "configuration 1:") {
			t.Errorf("the new process's admin interface: %s, %s", a.Status, text)
		}
	}
	load.stop(t)
	t.Logf("%d answers, %d requests crossed the end of their connection", load.answers.Load(), load.crossed.Load())
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "the last process has ended", func() bool { return gone(s.pid) })
	s.pid = 0
}
