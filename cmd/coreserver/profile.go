package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"runtime/pprof"
	"strconv"
	"time"

	"corelab/httpcore"
	"corelab/servers"
)

const (
	profileCore       = "goroutine" // serves the profiles, as it can be busy with one and still take requests
	defaultCPUSeconds = 30          // as go tool pprof expects
	maxCPUSeconds     = 600
	plain             = "text/plain; charset=utf-8"
	gzipped           = "application/octet-stream" // what profile.proto files go by
)

// serveProfiles listens on addr and serves profiles from there until the process ends.
func serveProfiles(addr netip.AddrPort, stderr io.Writer) error {
	core, found := servers.Find(profileCore)
	if !found {
		return fmt.Errorf("serve profiles: there is no %s core in this build; leave out --pprof", profileCore)
	}
	router := new(httpcore.Router)
	for _, route := range []httpcore.Route{
		{Method: "GET", Pattern: "/debug/pprof/", Serve: serveProfileNames},
		{Method: "GET", Pattern: "/debug/pprof/profile", Serve: serveCPUProfile},
		{Method: "GET", Pattern: "/debug/pprof/:name", Serve: serveProfile},
	} {
		if err := router.Add(route); err != nil {
			return fmt.Errorf("serve profiles: %w", err)
		}
	}
	server, err := core.New(servers.Config{Addr: addr}.Filled(), httpcore.NewHandler(router, httpcore.Limits{}, serverName))
	if err != nil {
		return fmt.Errorf("serve profiles with --pprof %s: %w", addr, err)
	}
	fmt.Fprintf(stderr, "coreserver: profiles on http://%s/debug/pprof/\n", server.Addr())
	go func() {
		if err := server.Serve(context.Background()); err != nil {
			fmt.Fprintf(stderr, "coreserver: serve profiles: %v; they have ended\n", err)
		}
	}()
	return nil
}

// serveProfileNames lists what there is.
func serveProfileNames(x *httpcore.Exchange) {
	var b bytes.Buffer
	b.WriteString("profile?seconds=30\n")
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(&b, "%s %d\n", p.Name(), p.Count())
	}
	x.Reply(&httpcore.Reply{Type: plain, Body: b.Bytes()})
}

// serveProfile answers one of the runtime's named profiles; with debug above 0 as text.
func serveProfile(x *httpcore.Exchange) {
	p := pprof.Lookup(string(x.Param("name")))
	if p == nil {
		x.Reply(&httpcore.Reply{Status: 404, Type: plain, Body: []byte("no such profile; /debug/pprof/ lists them\n")})
		return
	}
	level, err := queryNumber(x, "debug", 0)
	if err != nil {
		x.Reply(badQuery(err))
		return
	}
	var b bytes.Buffer
	if err := p.WriteTo(&b, level); err != nil {
		x.Reply(&httpcore.Reply{Status: 500, Type: plain, Body: []byte(err.Error() + "\n")})
		return
	}
	mediaType := gzipped
	if level > 0 {
		mediaType = plain
	}
	x.Reply(&httpcore.Reply{Type: mediaType, Body: b.Bytes()})
}

// serveCPUProfile profiles the process for the seconds asked for, and answers then.
func serveCPUProfile(x *httpcore.Exchange) {
	seconds, err := queryNumber(x, "seconds", defaultCPUSeconds)
	if err == nil && (seconds < 1 || seconds > maxCPUSeconds) {
		err = fmt.Errorf("seconds must be from 1 to %d", maxCPUSeconds)
	}
	if err != nil {
		x.Reply(badQuery(err))
		return
	}
	b := new(bytes.Buffer)
	if err := pprof.StartCPUProfile(b); err != nil {
		x.Reply(&httpcore.Reply{Status: 409, Type: plain, Body: []byte(err.Error() + "\n")})
		return
	}
	held, loop := x.Hold(), x.Loop()
	// Not Loop.After: the profile must end although the client, and with it the loop, has left.
	time.AfterFunc(time.Duration(seconds)*time.Second, func() {
		pprof.StopCPUProfile()
		loop.Post(func() { held.Reply(&httpcore.Reply{Type: gzipped, Body: b.Bytes()}) })
	})
}

func badQuery(err error) *httpcore.Reply {
	return &httpcore.Reply{Status: 400, Type: plain, Body: []byte(err.Error() + "\n")}
}

// queryNumber returns the number that the query gives to name, or absent.
func queryNumber(x *httpcore.Exchange, name string, absent int) (int, error) {
	values, err := url.ParseQuery(string(x.Query()))
	if err != nil {
		return 0, fmt.Errorf("the query does not parse: %w", err)
	}
	if !values.Has(name) {
		return absent, nil
	}
	n, err := strconv.Atoi(values.Get(name))
	if err != nil {
		return 0, fmt.Errorf("%s must be a number", name)
	}
	return n, nil
}
