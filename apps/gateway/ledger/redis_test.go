package ledger

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of a test's own, on a port of 127.0.0.1, which can be killed and come back.
type server struct {
	t       testing.TB
	dir     string
	address string
	cmd     *exec.Cmd
	log     bytes.Buffer
}

// startRedis starts one. Where there is none the test is skipped, and says what is missing.
func startRedis(t testing.TB) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: redis-server is not installed; scripts/tools.sh redis-server installs it on Debian")
	}
	s := &server{t: t, dir: t.TempDir()}
	t.Cleanup(s.kill)
	var err error
	for range 10 { // another process may take the port between
		l, e := net.Listen("tcp", "127.0.0.1:0")
		if e != nil {
			t.Fatal(e)
		}
		s.address = l.Addr().String()
		l.Close()
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatalf("redis-server does not start: %v\n%s", err, s.log.String())
	return nil
}

// start starts it on its port, and waits until it answers.
func (s *server) start() error {
	_, port, _ := net.SplitHostPort(s.address)
	s.log.Reset()
	s.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	silence()
	c := redis.NewClient(&redis.Options{Addr: s.address, MaxRetries: -1, DialerRetries: 1})
	defer c.Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := c.Ping(context.Background()).Err()
		if err == nil {
			info, err := c.Info(context.Background(), "server").Result()
			if err == nil && bytes.Contains([]byte(info), fmt.Appendf(nil, "process_id:%d\r", s.cmd.Process.Pid)) {
				return nil
			}
			return fmt.Errorf("another server is at %s", s.address)
		}
		if time.Now().After(end) {
			s.kill()
			return err
		}
	}
}

// kill kills it, as a crash would.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(os.Kill)
	s.cmd.Wait() // says that it was killed
	s.cmd = nil
}

// number reads a counter.
func (s *server) number(key string) int64 {
	s.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.address})
	defer c.Close()
	text, err := c.Get(context.Background(), key).Result()
	if err != nil {
		s.t.Fatalf("GET %s: %v", key, err)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
