package servers

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Handing is a Server whose listeners another process can go on with, so that a restart refuses nobody: it is given them as
// Config.Listeners, and what waits in their backlogs is accepted by whoever comes first. The other cores end their accept
// by a shutdown, which would end that of the other process too.
type Handing interface {
	Server
	// Listeners returns duplicates of the listeners, for the caller to pass on and close. It is called while the server serves.
	// They are plain descriptors: an os.File would make them blocking when it passes them on, and ours with them.
	Listeners() ([]int, error)
}

// errListeners says that what was inherited is not what is needed.
var errListeners = errors.New("the listeners that were inherited do not fit")

// bind returns n non-blocking listeners: those that were inherited, or new ones on c.Addr.
func (c *Config) bind(n int) ([]int, error) {
	switch {
	case len(c.Listeners) > 0:
		return c.inherited(n)
	case n > 1:
		return listenShared(c.Addr, c.Backlog, n)
	}
	fd, err := listen(c.Addr, c.Backlog, false, false)
	if err != nil {
		return nil, err
	}
	return []int{fd}, nil
}

// inherited checks and takes the listeners of Config.
func (c *Config) inherited(n int) ([]int, error) {
	if len(c.Listeners) != n {
		return nil, fmt.Errorf("%w: there are %d, and this core wants %d; start with the same --core and --workers", errListeners, len(c.Listeners), n)
	}
	for _, fd := range c.Listeners {
		if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listening == 0 {
			return nil, fmt.Errorf("%w: descriptor %d does not listen", errListeners, fd)
		}
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, fmt.Errorf("listener %d: %w", fd, err)
		}
	}
	return c.Listeners, nil
}

// duplicate returns duplicates of descriptors.
func duplicate(fds ...int) (copies []int, err error) {
	for _, fd := range fds {
		d, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			for _, c := range copies {
				unix.Close(c)
			}
			return nil, fmt.Errorf("duplicate listener %d: %w", fd, err)
		}
		copies = append(copies, d)
	}
	return copies, nil
}

// Listeners implements Handing.
func (s *loops) Listeners() ([]int, error) {
	var fds []int
	for _, l := range s.loops {
		fds = append(fds, l.listening())
	}
	return duplicate(fds...)
}

// Listeners implements Handing.
func (s *roamers) Listeners() ([]int, error) { return duplicate(s.listener) }

// Listeners implements Handing.
func (s *goroutines) Listeners() (fds []int, err error) {
	raw, err := s.listener.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("listener of %v: %w", s.Addr(), err)
	}
	if failed := raw.Control(func(fd uintptr) { fds, err = duplicate(int(fd)) }); failed != nil {
		return nil, fmt.Errorf("listener of %v: %w", s.Addr(), failed)
	}
	return fds, err
}

// listenInherited makes a net.Listener of an inherited descriptor.
func (c *Config) listenInherited() (*net.TCPListener, error) {
	fds, err := c.inherited(1)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "listener")
	defer file.Close() // FileListener duplicates it
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listener %d: %w", fds[0], err)
	}
	return ln.(*net.TCPListener), nil
}
