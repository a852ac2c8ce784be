package target

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// coreserverEnv makes the test binary play coreserver; an argument "as:ROLE" makes it play a foreign server.
const coreserverEnv = "CORELAB_TEST_CORESERVER"

func TestMain(m *testing.M) {
	Keep()
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "as:") {
		play(strings.TrimPrefix(os.Args[1], "as:"), os.Args[2:])
		return
	}
	if os.Getenv(coreserverEnv) != "" {
		coreserver(os.Args[1:])
		return
	}
	code := m.Run()
	removePeerserver()
	removeLimits()
	os.Exit(code)
}

// play is a foreign server.
func play(role string, args []string) {
	switch role {
	case "hello":
		hello(args[0])
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		hello(args[0])
	case "crash": // a moment after it accepted
		l, err := net.Listen("tcp4", "127.0.0.1:"+args[0])
		if err != nil {
			os.Exit(2)
		}
		l.Accept()
		fmt.Fprintln(os.Stderr, "panic: as planned")
		os.Exit(3)
	case "die":
		fmt.Fprintln(os.Stderr, "no configuration found in "+args[0])
		os.Exit(1)
	case "leave":
		return
	case "lab": // one that is killed
		s, err := Parse("it='"+os.Args[0]+"' as:pair {port}", Env{})
		if err != nil {
			os.Exit(2)
		}
		p, err := Start(context.Background(), s, Options{})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		fmt.Println(p.family.root)
		select {}
	case "deaf":
		select {}
	case "taken": // the first time
		if _, err := os.Stat(args[1]); err != nil {
			os.WriteFile(args[1], nil, 0o600)
			fmt.Fprintln(os.Stderr, "listen tcp 127.0.0.1: bind: Address already in use")
			os.Exit(1)
		}
		hello(args[0])
	case "family": // a child in the group, and one that has left it, its session, and its parent
		child(false, "stay")
		child(true, "orphan")
		hello(args[0])
	case "pair":
		child(false, "stay")
		hello(args[0])
	case "orphan":
		child(true, "stay")
	case "stay":
		signal.Ignore(syscall.SIGTERM)
		select {}
	}
}

func child(session bool, role string) {
	cmd := exec.Command(os.Args[0], "as:"+role)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	if cmd.Start() != nil {
		os.Exit(2)
	}
}

func hello(port string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "Hello, World!") })
	mux.HandleFunc("/exit", func(w http.ResponseWriter, r *http.Request) { os.Exit(4) })
	fmt.Println(http.ListenAndServe("127.0.0.1:"+port, mux))
	os.Exit(1)
}

// coreserver has the flags and the protocol of ours, and no core.
func coreserver(args []string) {
	set := flag.NewFlagSet("coreserver", flag.ExitOnError)
	core := set.String("core", "", "")
	addr := set.String("addr", "", "")
	workers := set.Int("workers", 0, "")
	list, asJSON := set.Bool("list", false, ""), set.Bool("json", false, "")
	fd := set.Int("stats-fd", 0, "")
	static := set.String("static", "", "")
	pipelined := set.Int("limit-pipelined", 0, "")
	set.Parse(args)
	if *list && *asJSON {
		fmt.Println(`{"cores":[{"name":"raw","doc":"the limit","lacks":[{"feature":"parsing","reason":"it counts"}]},
			{"name":"reactor","doc":"one loop per CPU","lacks":[]}],"apps":[]}`)
		return
	}
	if *fd != 0 {
		go func() {
			conn := os.NewFile(uintptr(*fd), "stats")
			in := bufio.NewReader(conn)
			for i := 1; ; i++ {
				question, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if *pipelined == 13 { // as planned
					time.Sleep(time.Hour)
				}
				if *pipelined != 12 && answerProfiles(conn, strings.TrimSpace(question)) {
					continue
				}
				fmt.Fprintf(conn, `{"runtime":{"allocs":%d,"alloc_bytes":%d,"gc_cycles":%d,"goroutines":7,"heap_kib":8},`+
					`"workers":[{"accepted":%d,"open":1,"requests":%d,"errors":0}]}`+"\n", i*10, i*100, i, i*2, i*1000)
			}
		}()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/flags", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode([]any{*core, *workers, *static, *pipelined})
	})
	fmt.Println(http.ListenAndServe(*addr, mux))
	os.Exit(1)
}

// answerSize is more than one read of an answer takes.
const answerSize = 1 << 20

// profiling says that the coreserver below profiles itself.
var profiling bool

// answerProfiles answers a question about profiles; false where it is none.
func answerProfiles(w io.Writer, question string) bool {
	answer := map[string]any{}
	switch question {
	case askProfileBegin:
		profiling = true
	case askProfileEnd:
		if !profiling {
			answer["error"] = "no profiles have begun"
		}
		profiling, answer["profiles"] = false, map[string][]byte{"go-cpu": bytes.Repeat([]byte("pro"), answerSize)}
	default:
		return false
	}
	answer["profiling"] = profiling
	json.NewEncoder(w).Encode(answer)
	return true
}

// fakeEnv is an Env whose coreserver is this test binary.
func fakeEnv(t *testing.T) Env {
	t.Helper()
	t.Setenv(coreserverEnv, "1")
	env, err := NewEnv(t.Context(), os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// foreign is a Spec of this test binary in a role.
func foreign(t *testing.T, role string, args ...string) Spec {
	t.Helper()
	s, err := Parse("it='"+os.Args[0]+"' as:"+role+" {port} "+strings.Join(args, " "), Env{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// launched starts s, and stops it at the end of the test.
func launched(t *testing.T, s Spec, o Options) *Process {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	p, err := Start(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(time.Second); err != nil {
			t.Error(err)
		}
	})
	return p
}
