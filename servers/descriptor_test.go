package servers_test

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"corelab/servers"
)

// spareFiles is how far above its lowest free descriptor the test's process may go before it runs out.
const spareFiles = 128

// TestDescriptors has a core run out of files: it serves the connections that it has, and, once there are files again,
// those that waited. It runs alone, since its limit is the process's.
func TestDescriptors(t *testing.T) {
	for _, core := range cores() {
		t.Run(core.Name, func(t *testing.T) {
			r := start(t, core, newService(t, testLimits), servers.Config{})
			on(t, core, func() error { return outOfFiles(r) }, servers.Descriptor)
		})
	}
}

func outOfFiles(r *running) error {
	held, err := dial(r.Addr())
	if err != nil {
		return err
	}
	defer held.Close()
	if err := until("the first is accepted", func() bool { return r.openNow() == 1 }); err != nil {
		return err
	}
	late, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(late)
	release, err := exhaust()
	defer release()
	if err != nil {
		return err
	}
	if err := unix.Connect(late, &unix.SockaddrInet4{Port: int(r.Addr().Port()), Addr: r.Addr().Addr().As4()}); err != nil {
		return fmt.Errorf("connect: %w", err) // the backlog takes it, whatever the server does
	}
	if _, err := unix.Write(late, []byte(get)); err != nil {
		return err
	}
	if err := held.send(get); err != nil {
		return err
	}
	if _, err := held.answer(""); err != nil {
		return fmt.Errorf("on the connection from before, with no file left: %w", err)
	}
	held.Close()
	release()
	var b [64]byte
	unix.SetsockoptTimeval(late, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience.Seconds())})
	if n, err := readAgain(late, b[:]); err != nil || n == 0 || string(b[:12]) != "HTTP/1.1 200" {
		return fmt.Errorf("on the connection that waited: %q, %v", b[:max(n, 0)], err)
	}
	return r.serves()
}

// readAgain is unix.Read, but for signals: with a time-out the kernel does not begin the call anew by itself, signal(7).
func readAgain(fd int, b []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

// exhaust lowers the limit of open files and takes all that are left. release undoes both, and may be called twice.
func exhaust() (release func(), err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return func() {}, err
	}
	var files []int
	release = func() {
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
		for _, fd := range files {
			unix.Close(fd)
		}
		files = nil
	}
	first, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return release, err
	}
	files = append(files, first)
	low := unix.Rlimit{Cur: min(uint64(first+spareFiles), limit.Max), Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		return release, err
	}
	for {
		fd, err := unix.Dup(first)
		if err == unix.EMFILE {
			return release, nil
		}
		if err != nil {
			return release, err
		}
		files = append(files, fd)
	}
}
