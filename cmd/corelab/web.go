package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"corelab/results/web"
)

// WebCmd serves the recorded runs as pages.
type WebCmd struct {
	Dir  string `arg:"" optional:"" name:"folder" default:"results" help:"The folder of runs, as bench --out has it; or one run's."`
	Addr string `default:"127.0.0.1:8099" placeholder:"HOST:PORT" help:"Where to serve them, 127.0.0.1:8099 if not given; port 0 takes a free one. Whoever reaches the address reads all runs: there is no password."`
}

// Run serves until it is interrupted, which is how it ends, and no failure.
func (c *WebCmd) Run() error {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return exitError{exitUsage, fmt.Sprintf("--addr %s: write HOST:PORT, like 127.0.0.1:8099", c.Addr)}
	}
	site, err := web.New(c.Dir, web.Options{Address: c.Addr})
	if err != nil {
		return err
	}
	defer site.Close()
	l, err := net.Listen("tcp", c.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: end what serves there, or choose another port with --addr, 0 for any free one", c.Addr)
	}
	if err != nil {
		return fmt.Errorf("serve at --addr %s: %w", c.Addr, err)
	}
	defer l.Close()
	return interruptible(func(ctx context.Context) error {
		if !local(l.Addr()) {
			fmt.Fprintf(os.Stderr, "corelab: WARNING: %s is not of this machine alone. Whoever reaches it reads all runs, with the commands, configurations and profiles in them. Without --addr only this machine does.\n", l.Addr())
		}
		fmt.Printf("the runs in %s: http://%s/   (Ctrl-C ends it)\n", c.Dir, reachable(l.Addr()))
		return site.Serve(ctx, l)
	})
}

// reachable is an address as one types it here: that of all the machine's addresses is none.
func reachable(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err == nil && at.Addr().IsUnspecified() {
		return fmt.Sprintf("localhost:%d", at.Port())
	}
	return a.String()
}

// local reports whether only this machine reaches an address.
func local(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().IsLoopback()
}
