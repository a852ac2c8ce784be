package load

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const wrkName = "wrk"

// wrkGenerator runs wrk, a closed loop. It looks at no answer's bytes, has no warm-up, and counts whole seconds.
type wrkGenerator struct{}

//go:embed wrk.lua
var wrkPipeline string

func (wrkGenerator) Name() string     { return wrkName }
func (wrkGenerator) Available() error { return missing("wrk", "wrk") }

// Version is the first line that wrk prints about itself; it does so with exit status 1.
func (wrkGenerator) Version() string {
	out, err := exec.Command("wrk", "-v").CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ""
	}
	line, _, _ := strings.Cut(firstLine(out), " Copyright")
	return line
}

func (wrkGenerator) Command(_ string, s Spec) ([]string, []byte, error) {
	s = s.Filled()
	if err := s.Check(); err != nil {
		return nil, nil, err
	}
	switch {
	case s.Rate > 0:
		return nil, nil, errors.New("wrk has no open loop: take the generator corelab or vegeta")
	case s.Method == "HEAD":
		return nil, nil, errors.New("wrk waits for a body that an answer to HEAD doesn't have: take the generator corelab")
	case s.Idle > 0:
		return nil, nil, errors.New("wrk has no idle connections: take the generator corelab")
	}
	argv := []string{"wrk", "-t", strconv.Itoa(s.Threads), "-c", strconv.Itoa(s.Connections), "-d", wrkSeconds(s.Duration),
		"--timeout", wrkSeconds(s.Timeout), "--latency"}
	for _, h := range s.Header {
		argv = append(argv, "-H", h)
	}
	if s.NewConn && !given(s.Header, "Connection") {
		argv = append(argv, "-H", "Connection: close")
	}
	if script := wrkScript(s); script != "" {
		path, err := keepScript(script)
		if err != nil {
			return nil, nil, err
		}
		argv = append(argv, "-s", path)
	}
	return append(argv, s.URL), nil, nil
}

// wrkSeconds rounds up: wrk knows no fractions.
func wrkSeconds(d time.Duration) string {
	return strconv.Itoa(int((d+time.Second-1)/time.Second)) + "s"
}

// wrkScript is the Lua that says what can't be said by options, or nothing.
func wrkScript(s Spec) string {
	var b strings.Builder
	if s.Method != "GET" {
		fmt.Fprintf(&b, "wrk.method = %s\n", luaString([]byte(s.Method)))
	}
	if len(s.Body) > 0 {
		fmt.Fprintf(&b, "wrk.body = %s\n", luaString(s.Body))
	}
	if s.Depth > 1 {
		fmt.Fprintf(&b, "depth = %d\n%s", s.Depth, wrkPipeline)
	}
	return b.String()
}

// luaString quotes any bytes: every one that is not plain as three decimal digits.
func luaString(b []byte) string {
	var q strings.Builder
	q.WriteByte('"')
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&q, "\\%03d", c)
			continue
		}
		q.WriteByte(c)
	}
	q.WriteByte('"')
	return q.String()
}

// keepScript writes a script where wrk can read it, in a directory of this user alone. Its name is its content's digest, so
// that the same script is written once, and a process that is killed leaves nothing that grows.
func keepScript(script string) (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("corelab-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make a directory for wrk's script: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the directory of wrk's script: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s is not a directory that only this user writes: remove it, or set TMPDIR to another place", dir)
	}
	path := filepath.Join(dir, fmt.Sprintf("wrk-%x.lua", sha256.Sum256([]byte(script))))
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, []byte(script)) {
		return path, nil
	}
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return "", fmt.Errorf("write wrk's script: %w", err)
	}
	_, err = f.WriteString(script)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("write wrk's script: %w", err), os.Remove(f.Name()))
	}
	return path, nil
}
