package settings

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span, written as "1.5s" or "200ms".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no time span; write it like 200ms, 1.5s or 2m", b)
	}
	*d = Duration(v)
	return nil
}

// Or returns the span, or otherwise where none is written.
func (d Duration) Or(otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return time.Duration(d)
}

// Bytes is a number of bytes, written as "64KiB", "10MB" or "512".
type Bytes int64

// units are the suffixes of Bytes; the longer ones come first.
var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Bytes) UnmarshalText(b []byte) error {
	for _, u := range units {
		number, found := strings.CutSuffix(string(b), u.suffix)
		if !found {
			continue
		}
		v, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err == nil && v >= 0 && v <= 1<<50/u.bytes {
			*n = Bytes(v * u.bytes)
			return nil
		}
		break
	}
	return fmt.Errorf("%q is no size; write it like 64KiB or 10MB", b)
}

// Or returns the size, or otherwise where none is written.
func (n Bytes) Or(otherwise int64) int64 {
	if n == 0 {
		return otherwise
	}
	return int64(n)
}

// Secret is something that only some may know: where it is to be had. It is a table of one key. There is no default.
type Secret struct {
	Value string `toml:"value"` // itself
	Env   string `toml:"env"`   // in this variable of the environment
	File  string `toml:"file"`  // in this file, without the white space around it
}

// maxSecret bounds what is read of a file.
const maxSecret = 64 << 10

// Get returns the secret. An error says why there is none, and never what it is.
func (s *Secret) Get() (string, error) {
	given := 0
	for _, where := range []string{s.Value, s.Env, s.File} {
		if where != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return "", fmt.Errorf("there is no secret, and no default; write it like { env = \"NAME\" }, { file = \"PATH\" } or { value = \"…\" }")
	case given > 1:
		return "", fmt.Errorf("value, env and file exclude each other")
	case s.Env != "":
		if v := os.Getenv(s.Env); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment has no %s, or an empty one", s.Env)
	case s.File != "":
		return readSecret(s.File)
	}
	return s.Value, nil
}

func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	v := strings.TrimSpace(string(b))
	if v == "" || len(v) > maxSecret {
		return "", fmt.Errorf("%s holds no secret: %d bytes", path, len(v))
	}
	return v, nil
}
