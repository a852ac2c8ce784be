package runner

import (
	"os"

	"github.com/prometheus/procfs"
)

// memory is the anonymous memory of the processes that is resident, in KiB: what they allocated and touched, without the
// pages of their files. What has ended counts nothing.
func memory(pids []int) (kib uint64) {
	kib, _ = resident(pids)
	return kib
}

// resident is memory, and the resident memory with the pages of files.
func resident(pids []int) (anonymous, all uint64) {
	for _, pid := range pids {
		if proc, err := procfs.NewProc(pid); err == nil {
			if status, err := proc.NewStatus(); err == nil {
				anonymous += status.RssAnon >> 10
				all += status.VmRSS >> 10
			}
		}
	}
	return anonymous, all
}

// openFiles is how many files the processes have open.
func openFiles(pids []int) (n int) {
	for _, pid := range pids {
		if proc, err := procfs.NewProc(pid); err == nil {
			if files, err := proc.FileDescriptorsLen(); err == nil {
				n += files
			}
		}
	}
	return n
}

// socketMemory is what the kernel holds for all TCP sockets, in KiB; 0 where it does not say.
func socketMemory() uint64 {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	stat, err := fs.NetSockstat()
	if err != nil {
		return 0
	}
	for _, p := range stat.Protocols {
		if p.Protocol == "TCP" && p.Mem != nil {
			return uint64(*p.Mem) * uint64(os.Getpagesize()) >> 10
		}
	}
	return 0
}
