package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// PeerBytes are the sizes of /bytes/N that peers serve, from files: the powers of two from 1 KiB to 1 MiB.
var PeerBytes = []int{1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20}

const alphabet = "abcdefghijklmnopqrstuvwxyz"

// Pattern returns the n bytes that /bytes/n answers: byte i is the letter i modulo 26.
func Pattern(n int) []byte {
	b := make([]byte, n)
	for i := copy(b, alphabet); i < n; i *= 2 { // whole alphabets, so that the copy goes on where the original ends
		copy(b[i:], b[:i])
	}
	return b
}

// WritePattern writes the body of /bytes/N for each size to the file dir/N, and makes dir.
func WritePattern(dir string, sizes []int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of /bytes: %w", err)
	}
	for _, n := range sizes {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(n)), Pattern(n), 0o644); err != nil {
			return fmt.Errorf("write the body of /bytes/%d: %w", n, err)
		}
	}
	return nil
}
