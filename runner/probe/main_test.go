package probe

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// roleEnv makes the test binary play another process: a real one to measure.
const roleEnv = "CORELAB_PROBE_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "spin":
		spin()
	case "parent":
		parent()
	}
}

// spun is how much CPU spin burns at a time.
const spun = 300 * time.Millisecond

// spin reads a byte, burns CPU, writes 1000 times, says so, and waits for its end.
func spin() {
	b := make([]byte, 1)
	for {
		if _, err := os.Stdin.Read(b); err != nil {
			return
		}
		begun, _ := cpuClock(os.Getpid())
		for now := begun; now-begun < spun; now, _ = cpuClock(os.Getpid()) {
			for end := time.Now().Add(time.Millisecond); time.Now().Before(end); {
			}
		}
		null, _ := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		for range 1000 {
			null.Write(b)
		}
		null.Close()
		fmt.Println("done")
	}
}

// parent starts a spin, hands its standard input and output through, and says the child's pid.
func parent() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"=spin")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	if err := cmd.Start(); err != nil {
		os.Exit(1)
	}
	fmt.Println(strconv.Itoa(cmd.Process.Pid))
	cmd.Wait()
}
