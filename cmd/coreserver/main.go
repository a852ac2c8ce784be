package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"corelab/apps"
	"corelab/httpcore"
	"corelab/servers"
)

// Exit codes, beside 0.
const (
	exitFailed = 1 // the machine refused something, or a second signal cut the drain
	exitUsage  = 2 // called wrongly
)

// serverName is the value of the Server field. Heads of compared servers must not differ by more than 16 bytes: this one
// makes up for most of the Connection: keep-alive that nginx sends and we do not.
const serverName = "coreserver (corelab)"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run does what args ask for and returns the exit code. It returns once the server has drained, if it came to one.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "coreserver: %v\n", err)
		return exitUsage
	case o.version:
		fmt.Fprintln(stdout, "coreserver", version())
		return 0
	}
	if o.list {
		err = list(stdout, o.json)
	} else {
		err = serve(o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "coreserver: %v\n", err)
		return exitFailed
	}
	return 0
}

// serve runs the server of o until a signal has ended it.
func serve(o *options, stdout, stderr io.Writer) error {
	heir, err := inherit()
	if err != nil {
		return err
	}
	o.servers.Listeners = heir.listeners
	config := apps.Config{Planted: o.planted}
	var op *operated
	if o.app.Name == gatewayApp {
		if op, err = openGateway(o, heir.admin, stderr); err != nil {
			return err
		}
		config.Gateway = op.gateway
	}
	if o.static != "" {
		root, err := os.OpenRoot(o.static)
		if err != nil {
			return fmt.Errorf("open the directory of --static: %w; give one that exists and is readable", err)
		}
		defer root.Close()
		config.Static = root
	}
	app, load, err := loaded(o, stderr)
	if err != nil {
		return err
	}
	router, err := app.Router(config)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.procs)
	server, err := o.core.New(o.servers, httpcore.NewHandler(router, o.limits, serverName))
	if err != nil {
		return fmt.Errorf("start %s with --addr %s: %w", o.core.Name, o.servers.Addr, err)
	}
	if o.pprof.IsValid() {
		if err := serveProfiles(o.pprof, stderr); err != nil {
			return err
		}
	}
	if o.stats != nil {
		go serveStats(o.stats, server, load, stderr)
	}
	ctx, stop := drainOnSignal(stderr)
	var admin servers.Server
	if op != nil {
		admin = op.admin
		context.AfterFunc(ctx, op.gateway.Drain)
		op.run(ctx)
	}
	restartOnSignal(o, server, admin, stop, stderr)
	// The line comes last: whoever waits for it may connect, ask for figures and send signals.
	if _, err := fmt.Fprintf(stdout, "coreserver: %s listening on http://%s workers=%d app=%s pid=%d\n",
		o.core.Name, server.Addr(), o.servers.Workers, o.app.Name, os.Getpid()); err != nil {
		if heir.ready == nil { // an heir has the output of the first process, whose reader may have gone
			return fmt.Errorf("print the listening line: %w", err)
		}
	}
	heir.serving()
	err = server.Serve(ctx)
	if op != nil {
		op.gateway.Close()
	}
	if err != nil {
		return fmt.Errorf("serve with %s: %w", o.core.Name, err)
	}
	return nil
}

// drainOnSignal returns a context that the first SIGTERM or SIGINT ends. The second one ends the process.
func drainOnSignal(stderr io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(stderr, "coreserver: cut by a second signal")
		os.Exit(exitFailed)
	}()
	return ctx, cancel
}

// version says which build this is.
func version() string {
	info, found := debug.ReadBuildInfo()
	if !found {
		return "unknown " + runtime.Version()
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
		if s.Key == "vcs.modified" && s.Value == "true" {
			v += " modified"
		}
	}
	return v + " " + info.GoVersion
}
