// Spinner is a process to profile: its child burns CPU time whenever it reads a byte, and says so. A test's own binary has no
// symbols.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		burnOnDemand()
		return
	}
	cmd := exec.Command(os.Args[0], "child")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// burnOnDemand says that it is ready, and ends with its input.
func burnOnDemand() {
	fmt.Println("ready")
	for b := make([]byte, 1); ; fmt.Println("done") {
		if _, err := os.Stdin.Read(b); err != nil {
			return
		}
		for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); {
			burn(Generic[string]{"a"})
		}
	}
}

// Generic has a method with brackets in its name.
type Generic[T any] struct{ of T }

//go:noinline
func (g Generic[T]) spin(n int) string { return strings.Repeat(fmt.Sprint(g.of), n) }

//go:noinline
func burn(g Generic[string]) { g.spin(1000) }
