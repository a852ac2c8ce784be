// Package apps holds what the cores serve: an app is a list of routes that any core can be given. The same routes run on
// every core, so that two cores differ in nothing but how they wait for the network.
package apps

import (
	"fmt"
	"os"

	"corelab/apps/gateway"
	"corelab/apps/lab"
	"corelab/apps/planted"
	"corelab/apps/probe"
	"corelab/httpcore"
)

// Config is what the apps may be given from outside. An app takes what it needs of it and ignores the rest.
type Config struct {
	// Static is the directory that file routes serve. It stays the caller's, who closes it when the server has stopped;
	// nil serves no file.
	Static *os.Root
	// Planted is what the app planted does on purpose.
	Planted planted.Config
	// Gateway is what the app gateway serves; nil only where its routes are listed and not served.
	Gateway *gateway.Gateway
}

// App is one service.
type App struct {
	Name, Doc string
	// New returns the app's routes. It is called once for each server; the routes may be served by any number of
	// connections on any number of loops at once.
	New func(Config) ([]httpcore.Route, error)
}

// Apps is every app there is. A new app is one new folder and one line here.
var Apps = []App{
	{"lab", "the routes that scenarios measure, and those of the public HttpArena profiles", func(c Config) ([]httpcore.Route, error) {
		return lab.Routes(lab.Config{Static: c.Static}), nil
	}},
	{"planted", "one answer, and what is planted in it by flags: a server whose truth is known, to hold a lab against", func(c Config) ([]httpcore.Route, error) {
		return planted.Routes(c.Planted)
	}},
	{"gateway", "an API gateway: what its configuration says, in front of the upstreams that it names", func(c Config) ([]httpcore.Route, error) {
		return c.Gateway.Routes(), nil
	}},
	{"probe", "what the server made of a request, for those who test its HTTP/1.1 from outside", func(Config) ([]httpcore.Route, error) {
		return probe.Routes(), nil
	}},
}

// Find returns the app of that name.
func Find(name string) (App, bool) {
	for _, a := range Apps {
		if a.Name == name {
			return a, true
		}
	}
	return App{}, false
}

// Router returns a router of the app's routes.
func (a App) Router(c Config) (*httpcore.Router, error) {
	routes, err := a.New(c)
	if err != nil {
		return nil, fmt.Errorf("app %s: %w", a.Name, err)
	}
	r := new(httpcore.Router)
	for _, route := range routes {
		if err := r.Add(route); err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
	}
	return r, nil
}
