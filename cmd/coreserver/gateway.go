package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"corelab/apps/gateway"
	"corelab/httpcore"
	"corelab/servers"
)

// gatewayApp is the app that has a configuration of its own.
const gatewayApp = "gateway"

// adminCore serves the admin interface: what is asked of it may wait, and then holds up nobody.
const adminCore = "goroutine"

// checkGateway refuses a gateway without a configuration, and a configuration without a gateway.
func (o *options) checkGateway() error {
	switch is := o.app.Name == gatewayApp; {
	case is && o.config == "":
		return fmt.Errorf("the app gateway needs --config FILE; apps/gateway/example.toml is one to begin with")
	case !is && o.config != "":
		return fmt.Errorf("--config is for --app gateway; the app %s takes none", o.app.Name)
	}
	return nil
}

// operated is a gateway in service, and its admin interface.
type operated struct {
	gateway *gateway.Gateway
	admin   servers.Server // nil: there is none
	stderr  io.Writer
}

// openGateway reads the configuration and binds the admin interface to where it says, or to what was inherited.
func openGateway(o *options, inherited []int, stderr io.Writer) (*operated, error) {
	g, err := gateway.Open(o.config)
	if err != nil {
		return nil, fmt.Errorf("the configuration is refused:\n%w", err)
	}
	op := &operated{gateway: g, stderr: stderr}
	addr := g.AdminAddr()
	if !addr.IsValid() {
		return op, nil
	}
	core, found := servers.Find(adminCore)
	if !found {
		return nil, fmt.Errorf("serve the admin interface: there is no %s core in this build", adminCore)
	}
	router := new(httpcore.Router)
	for _, route := range g.AdminRoutes() {
		if err := router.Add(route); err != nil {
			return nil, fmt.Errorf("serve the admin interface: %w", err)
		}
	}
	config := servers.Config{Addr: addr, Listeners: inherited}.Filled()
	op.admin, err = core.New(config, httpcore.NewHandler(router, httpcore.Limits{}, serverName))
	if err != nil {
		return nil, fmt.Errorf("serve the admin interface on %s: %w", addr, err)
	}
	fmt.Fprintf(stderr, "coreserver: admin interface on http://%s\n", op.admin.Addr())
	return op, nil
}

// run serves the admin interface and takes over new configurations, until ctx ends.
func (op *operated) run(ctx context.Context) {
	if op.admin != nil {
		go func() {
			if err := op.admin.Serve(ctx); err != nil {
				fmt.Fprintf(op.stderr, "coreserver: admin interface: %v; it has ended\n", err)
			}
		}()
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				op.told(op.gateway.Reload())
			}
		}
	}()
	go op.gateway.Watch(ctx, op.told)
}

// told says how a reload went.
func (op *operated) told(err error) {
	if err == nil {
		fmt.Fprintf(op.stderr, "coreserver: %s\n", op.gateway.Describe())
		return
	}
	fmt.Fprintf(op.stderr, "coreserver: the new configuration is refused, and the old one stays:\n%s\n", indent(err))
}

func indent(err error) string { return "  " + strings.ReplaceAll(err.Error(), "\n", "\n  ") }

// heirVariable is how a process gives its listeners to the one that it starts in its place: the number of those of the
// server, and of those of the admin interface. They are the descriptors from 4 on; 3 is where the heir says that it serves.
const heirVariable = "CORESERVER_INHERITS"

const (
	heirReady = 3
	heirFirst = 4
)

// inheritance is what a process was given by the one whose place it takes.
type inheritance struct {
	listeners, admin []int
	ready            *os.File // nil: nobody waits
}

// inherit reads the inheritance, if there is one.
func inherit() (h inheritance, err error) {
	v := os.Getenv(heirVariable)
	if v == "" {
		return h, nil
	}
	os.Unsetenv(heirVariable) // it is not the inheritance of whom this process starts
	var n, admin int
	if _, err := fmt.Sscanf(v, "%d %d", &n, &admin); err != nil || n < 1 || admin < 0 || n+admin > maxWorkers {
		return h, fmt.Errorf("%s=%q is for a process that takes another's place; unset it", heirVariable, v)
	}
	next := heirFirst
	for range n {
		h.listeners = append(h.listeners, next)
		next++
	}
	for range admin {
		h.admin = append(h.admin, next)
		next++
	}
	syscall.CloseOnExec(heirReady)
	h.ready = os.NewFile(heirReady, "ready")
	signal.Ignore(syscall.SIGPIPE) // whoever read the first process's output may be gone
	return h, nil
}

// serving tells the process whose place this one takes that it may go.
func (h *inheritance) serving() {
	if h.ready != nil {
		h.ready.Write([]byte("ready")) // if it is gone there is nobody to be told
		h.ready.Close()
	}
}

var errNoHeir = errors.New("this core cannot hand over its listeners")

// restartOnSignal has a new process of the same command take this one's place at each SIGUSR2, and calls stop once it serves.
// Where it does not come so far, this process stays.
func restartOnSignal(o *options, server, admin servers.Server, stop func(), stderr io.Writer) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	go func() {
		for range signals {
			pid, err := handOver(o, server, admin)
			if err != nil {
				fmt.Fprintf(stderr, "coreserver: no restart: %v; this process stays\n", err)
				continue
			}
			fmt.Fprintf(stderr, "coreserver: process %d serves; this one ends\n", pid)
			stop()
			return
		}
	}()
}

// handOver starts the heir with the listeners, and returns once it serves.
func handOver(o *options, server, admin servers.Server) (pid int, err error) {
	if o.stats != nil || o.pprof.IsValid() {
		return 0, fmt.Errorf("--stats-fd and --pprof belong to one process; restart without them")
	}
	var listeners [2][]int
	for i, s := range []servers.Server{server, admin} {
		if s == nil {
			continue
		}
		from, can := s.(servers.Handing)
		if !can {
			return 0, errNoHeir
		}
		if listeners[i], err = from.Listeners(); err != nil {
			return 0, err
		}
		defer closeAll(listeners[i])
	}
	path, err := os.Executable()
	if err != nil {
		return 0, err
	}
	var ready [2]int
	if err := syscall.Pipe2(ready[:], syscall.O_CLOEXEC); err != nil {
		return 0, os.NewSyscallError("pipe2", err)
	}
	files := []uintptr{0, 1, 2, uintptr(ready[1])}
	for _, fd := range append(append([]int(nil), listeners[0]...), listeners[1]...) {
		files = append(files, uintptr(fd))
	}
	env := append(os.Environ(), fmt.Sprintf("%s=%d %d", heirVariable, len(listeners[0]), len(listeners[1])))
	pid, _, err = syscall.StartProcess(path, os.Args, &syscall.ProcAttr{Env: env, Files: files})
	syscall.Close(ready[1])
	in := os.NewFile(uintptr(ready[0]), "ready")
	defer in.Close()
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	if said, _ := io.ReadAll(in); string(said) != "ready" {
		var status syscall.WaitStatus
		syscall.Wait4(pid, &status, 0, nil) // it closed the pipe by its end
		return 0, fmt.Errorf("the new process ended with %d before it served", status.ExitStatus())
	}
	return pid, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
