package main

import (
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"corelab/apps"
	"corelab/apps/planted"
	"corelab/httpcore"
	"corelab/servers"
)

// maxWorkers bounds --workers and --threads: each is a thread.
const maxWorkers = 10_000

// options is a command line that was understood.
type options struct {
	list, json, version bool

	core    servers.Core
	app     apps.App
	servers servers.Config
	limits  httpcore.Limits
	static  string
	config  string // of the gateway
	planted planted.Config
	ballast time.Duration  // CPU time for each request; 0 for none
	procs   int            // GOMAXPROCS
	pprof   netip.AddrPort // not valid: no profiles
	stats   *os.File       // nil: no figures
}

// texts are the flags' values that parse turns into something else.
type texts struct {
	core, app, addr, pprof string
	statsFD                int
}

// flags returns the flags that fill o and t, with their defaults set.
func flags(o *options, t *texts) *flag.FlagSet {
	set := flag.NewFlagSet("coreserver", flag.ContinueOnError)
	set.SetOutput(io.Discard) // run prints errors, once and in our form
	set.Usage = func() {}
	set.StringVar(&t.core, "core", "reactor", "the `core` to serve with: "+coreNames())
	set.StringVar(&t.app, "app", "lab", "the `app` to serve: "+appNames())
	set.StringVar(&t.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	set.IntVar(&o.servers.Workers, "workers", runtime.NumCPU(), "`CPUs` to use")
	set.IntVar(&o.servers.Threads, "threads", 64, "`threads` of the pool core, each serving one connection")
	set.DurationVar(&o.servers.Grace, "grace", 10*time.Second, "`time` for requests in flight after SIGTERM or SIGINT")
	set.IntVar(&o.servers.Backlog, "backlog", 4096, "`connections` that the kernel has accepted and the core has not")
	set.IntVar(&o.procs, "procs", 0, "GOMAXPROCS, as a `number`; 0 takes what the core wants: one for each worker, or more")
	set.StringVar(&o.static, "static", "", "`directory` under /static/; without it there are no files")
	set.StringVar(&o.config, "config", "", "`file` with the configuration of --app gateway; it is read again when it changes, and at SIGHUP")
	set.StringVar(&t.pprof, "pprof", "", "`address` to serve profiles on, such as 127.0.0.1:6060")
	set.IntVar(&t.statsFD, "stats-fd", 0, "`descriptor`, inherited, that is asked for figures line by line; 0: none")
	set.DurationVar(&o.ballast, "ballast", 0, "CPU `time` burnt for each request on top of what it takes, such as 200ns: a spin of 2 µs or more on every so many requests")
	addPlants(set, &o.planted)
	set.BoolVar(&o.list, "list", false, "list cores and apps, and exit")
	set.BoolVar(&o.json, "json", false, "with --list: as JSON")
	set.BoolVar(&o.version, "version", false, "print the version, and exit")
	o.limits = httpcore.DefaultLimits
	for _, l := range limitFlags {
		l.add(set, &o.limits)
	}
	return set
}

// usage prints how to call coreserver.
func usage(w io.Writer) {
	set := flags(new(options), new(texts))
	fmt.Fprint(w, "Usage: coreserver [--core CORE] [--addr HOST:PORT] [--workers N] [flags]\n"+
		"Serves one app on one core, until SIGTERM.\n\n")
	set.SetOutput(w)
	set.PrintDefaults()
}

// parse understands a command line. Its errors say what to write instead.
func parse(args []string) (*options, error) {
	var o options
	var t texts
	set := flags(&o, &t)
	if err := set.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return nil, err
		}
		return nil, fmt.Errorf("%w; coreserver --help lists the flags", err)
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; everything is said by flags, see coreserver --help", set.Arg(0))
	}
	if o.json && !o.list {
		return nil, fmt.Errorf("--json says how to --list; add --list, or leave it out")
	}
	if err := o.choose(&t); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := checkBallast(o.ballast, o.core); err != nil {
		return nil, err
	}
	if err := o.checkPlants(set); err != nil {
		return nil, err
	}
	if o.list || o.version {
		return &o, nil
	}
	if err := o.checkGateway(); err != nil {
		return nil, err
	}
	if o.procs == 0 {
		if o.procs = o.servers.Workers; o.core.Procs != nil {
			o.procs = o.core.Procs(o.servers)
		}
	}
	var err error
	if t.statsFD != 0 {
		o.stats, err = openStats(t.statsFD)
	}
	return &o, err
}

// choose turns names and addresses into what they stand for.
func (o *options) choose(t *texts) (err error) {
	var found bool
	if o.core, found = servers.Find(t.core); !found && !o.list && !o.version {
		return fmt.Errorf("there is no core %q; choose --core from %s", t.core, coreNames())
	}
	if o.app, found = apps.Find(t.app); !found {
		return fmt.Errorf("there is no app %q; choose --app from %s", t.app, appNames())
	}
	if o.servers.Addr, err = parseAddr("addr", t.addr); err != nil {
		return err
	}
	if t.pprof != "" {
		o.pprof, err = parseAddr("pprof", t.pprof)
	}
	return err
}

// parseAddr reads the HOST:PORT of a flag. A host is a number or localhost: no name is looked up.
func parseAddr(name, value string) (netip.AddrPort, error) {
	number := value
	if port, found := strings.CutPrefix(value, "localhost:"); found {
		number = "127.0.0.1:" + port
	}
	a, err := netip.ParseAddrPort(number)
	if err != nil {
		return a, fmt.Errorf("--%s %q is no IP address and port; write it like --%s 127.0.0.1:8080", name, value, name)
	}
	return a, nil
}

// check refuses numbers that mean nothing.
func (o *options) check() error {
	for _, n := range []struct {
		name               string
		value, least, most int
	}{
		{"workers", o.servers.Workers, 1, maxWorkers},
		{"threads", o.servers.Threads, 1, maxWorkers},
		{"backlog", o.servers.Backlog, 1, 1 << 30},
		{"procs", o.procs, 0, maxWorkers},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("--%s %d is out of range; choose from %d to %d", n.name, n.value, n.least, n.most)
		}
	}
	if o.servers.Grace <= 0 {
		return fmt.Errorf("--grace %v is no time to finish anything; give one above 0, such as 10s", o.servers.Grace)
	}
	for _, l := range limitFlags {
		if l.negative(&o.limits) {
			return fmt.Errorf("--%s must not be negative; 0 takes the default", l.name)
		}
	}
	return nil
}

// openStats returns the inherited descriptor of --stats-fd.
func openStats(fd int) (*os.File, error) {
	var s syscall.Stat_t
	if fd < 3 || syscall.Fstat(fd, &s) != nil {
		return nil, fmt.Errorf("--stats-fd %d is no open descriptor above 2; pass on one end of a socketpair", fd)
	}
	return os.NewFile(uintptr(fd), "stats"), nil
}

func coreNames() string {
	names := make([]string, len(servers.Cores))
	for i, c := range servers.Cores {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

func appNames() string {
	names := make([]string, len(apps.Apps))
	for i, a := range apps.Apps {
		names[i] = a.Name
	}
	return strings.Join(names, ", ")
}
