package target

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fronts are the peers that can stand in front of others.
func fronts() (out []*peer) {
	for i := range peers {
		if peers[i].lacksWork != nil {
			out = append(out, &peers[i])
		}
	}
	return out
}

// TestFronts has each peer do each work that it can in front of two servers: the answer is theirs, whoever does not say who
// asks is refused where that is the work, the log is written, and the connections to the servers are kept.
func TestFronts(t *testing.T) {
	env := peerEnv(t)
	behind, err := Parse("nethttp", env)
	if err != nil {
		t.Fatal(err)
	}
	front := &Front{}
	for range UpstreamsOf(WorkApart) {
		front.Upstreams = append(front.Upstreams, launched(t, behind, Options{}).Addr())
	}
	for _, p := range fronts() {
		for _, w := range Works {
			if p.lacksWork(w.Name) != "" {
				continue
			}
			t.Run(p.name+"/"+w.Name, func(t *testing.T) {
				s, err := Parse(p.name, env)
				if err != nil {
					t.Fatal(err)
				}
				f := *front
				f.Work = w.Name
				server := launched(t, s, Options{Workers: 1, Front: &f})
				x := Exchange{Path: "/plaintext", Header: map[string]string{}, Expect: Expect{Status: http.StatusOK, Body: []byte("Hello, World!")}}
				for _, line := range w.Header {
					name, value, _ := strings.Cut(line, ": ")
					x.Header[name] = value
				}
				for range 3 {
					if _, err := Verify(t.Context(), server.Addr(), x); err != nil {
						t.Fatal(err)
					}
				}
				for name, value := range x.Header {
					for _, wrong := range []string{"", value + "x"} {
						a, err := Reference(t.Context(), server.Addr(), Exchange{Path: "/plaintext", Header: map[string]string{name: wrong}})
						if err != nil || a.Status != http.StatusUnauthorized {
							t.Errorf("%s: %q is answered with %d, %v", name, wrong, a.Status, err)
						}
					}
				}
				for path, upstream := range f.apart() {
					if d := s.Describe(Options{Front: &f}); !strings.Contains(d.Config, path) || !strings.Contains(d.Config, upstream) {
						t.Errorf("%s does not lead to %s:\n%s", path, upstream, d.Config)
					}
				}
				if f.does(WorkLog) {
					awaitLog(t, server)
				}
				if d := s.Describe(Options{Front: &f}); !strings.Contains(d.Config, f.Upstreams[0]) {
					t.Errorf("the configuration as it is described does not name the upstream:\n%s", d.Config)
				}
			})
		}
	}
}

// awaitLog waits until the access log has a line of the request.
func awaitLog(t *testing.T, p *Process) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		for _, path := range []string{filepath.Join(p.dir, "access.log"), p.Log()} {
			if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), "/plaintext") {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("no line of the access log came within 10 s")
		}
	}
}

// TestFrontsOnly sees that a peer that cannot answer by itself says so, and one that cannot pass on, too.
func TestFrontsOnly(t *testing.T) {
	env := peerEnv(t)
	for name, alone := range map[string]bool{"caddy": false, "nginx-lua": false, "h2o": true, "nginx": true} {
		s, err := Parse(name, env)
		if err != nil {
			t.Fatal(err)
		}
		if (s.Lacks("GET", "/plaintext") == "") != alone {
			t.Errorf("%s: lacks /plaintext: %q", name, s.Lacks("GET", "/plaintext"))
		}
		if s.LacksWork(WorkNull) == "" && name != "nginx-lua" {
			t.Errorf("%s is said to do the work %s", name, WorkNull)
		}
	}
}
