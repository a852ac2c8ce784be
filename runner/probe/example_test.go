package probe_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"corelab/runner/probe"
)

// Three seconds of a server that runs on CPU 1, as a file that "go tool pprof" opens.
func ExampleRecordCPU() {
	if err := probe.PerfAvailable(); err != nil {
		fmt.Println(err) // with what to do about it
		return
	}
	ctx, server := context.Background(), 4711
	r, err := probe.RecordCPU(ctx, probe.RecordSpec{
		CPUs:  []int{1},
		Pids:  func() []int { return probe.Tree(server) },
		Dir:   os.TempDir(),
		Bound: 3 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	<-r.Done()
	s, err := r.Stop(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := os.Create("server-cpu.pb.gz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	fmt.Println(s.Samples, "samples by", s.Event, s.Profile.Write(f))
}
