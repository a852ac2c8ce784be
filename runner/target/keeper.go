package target

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A lab that is killed runs no deferred Stop. The kernel's death signal then ends the processes that it started, but not
// theirs: the workers of nginx would go on. So the lab has a keeper: a copy of its program that does nothing but wait
// for the end of a pipe, and then kills the process groups that were named to it and not taken back.

const keeperVariable = "CORELAB_KEEPER"

// keeper is this lab's.
var keeper struct {
	sync.Mutex
	allowed bool           // Keep was called, so that the program knows how to be one
	pipe    io.WriteCloser // nil until a server is started
}

// Keep is called by main before all else, in a program that starts targets. It returns at once, but in the copy of the
// program that is the keeper, where it never does. Without it, targets that are left behind by a lab that was killed end
// themselves, but what they started may not.
func Keep() {
	if os.Getenv(keeperVariable) == "" {
		keeper.Lock()
		defer keeper.Unlock()
		keeper.allowed = true
		return
	}
	for group := range kept(os.Stdin) {
		unix.Kill(-group, unix.SIGKILL)
	}
	os.Exit(0)
}

// kept reads lines "+GROUP" and "-GROUP" to their end, and returns the groups that were not taken back.
func kept(in io.Reader) map[int]bool {
	groups := make(map[int]bool)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		switch {
		case err != nil || n == 0:
		case n > 1: // group 1 would be all processes
			groups[n] = true
		default:
			delete(groups, -n)
		}
	}
	return groups
}

// tellKeeper names a process group to the keeper ('+'), or takes it back ('-'), and starts the keeper when there is none.
// Nothing depends on it while the lab lives, so that it has no error.
func tellKeeper(sign rune, group int) {
	keeper.Lock()
	defer keeper.Unlock()
	if keeper.pipe == nil && (!keeper.allowed || startKeeper() != nil) {
		return
	}
	fmt.Fprintf(keeper.pipe, "%c%d\n", sign, group)
}

func startKeeper() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), keeperVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // it ends after us, or was killed
	keeper.pipe = pipe
	return nil
}
