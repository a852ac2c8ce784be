package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peerserver:", err)
		os.Exit(1)
	}
}

// run serves until it fails, or prints what was asked for to out.
func run(args []string, out io.Writer) error {
	set := flag.NewFlagSet("peerserver", flag.ContinueOnError)
	name := set.String("peer", "", "serve as this one: "+strings.Join(names(), ", "))
	addr := set.String("addr", "127.0.0.1:8080", "the IPv4 address to listen on")
	workers := set.Int("workers", runtime.NumCPU(), "CPUs to use, which is also the number of event loops")
	config := set.Bool("config", false, "print the configuration and exit")
	list := set.Bool("list", false, "print the names of the peers and exit")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *list {
		_, err := fmt.Fprintln(out, strings.Join(names(), "\n"))
		return err
	}
	p, found := findPeer(*name)
	switch {
	case !found:
		return fmt.Errorf("--peer %q: it is one of %s", *name, strings.Join(names(), ", "))
	case *workers < 1:
		return fmt.Errorf("--workers %d: give at least 1", *workers)
	case set.NArg() > 0:
		return fmt.Errorf("%q is no flag; peerserver --help shows them", set.Arg(0))
	}
	o := options{addr: *addr, workers: *workers}
	if *config {
		_, err := io.WriteString(out, p.config(o))
		return err
	}
	runtime.GOMAXPROCS(o.workers)
	return fmt.Errorf("serve as %s on %s: %w", p.name, o.addr, p.serve(o))
}

func names() (list []string) {
	for _, p := range peers {
		list = append(list, p.name)
	}
	return list
}

// config is the configuration for people, one setting a line.
func (p peer) config(o options) string {
	lines := []string{p.version(), "listen " + o.addr, fmt.Sprintf("GOMAXPROCS %d", o.workers)}
	for _, s := range p.settings {
		lines = append(lines, strings.ReplaceAll(s, "{workers}", fmt.Sprint(o.workers)))
	}
	lines = append(lines, "one binary of all peers in Go: about 9 MiB of its memory at rest are the other peers' libraries")
	return strings.Join(lines, "\n") + "\n"
}

// version is the library's, as it was built in.
func (p peer) version() string {
	if p.module == "" {
		return "net/http of " + runtime.Version()
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == p.module {
				return m.Path + " " + m.Version + ", " + runtime.Version()
			}
		}
	}
	return p.module + ", " + runtime.Version()
}
