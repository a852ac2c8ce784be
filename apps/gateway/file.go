package gateway

import (
	"os"
	"syscall"
)

// inode is the number of a file: another one may have come to stand at its path.
func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
