package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"corelab/apps"
	"corelab/servers"
)

// listing is what --list --json prints. The lab reads it to know what a core cannot do, and which routes an app has.
type listing struct {
	Cores []listedCore `json:"cores"`
	Apps  []listedApp  `json:"apps"`
}

type listedCore struct {
	Name  string       `json:"name"`
	Doc   string       `json:"doc"`
	Lacks []listedLack `json:"lacks"`
	// Missing is why the core cannot run on this machine, and what to do; empty when it can.
	Missing string `json:"missing,omitempty"`
}

type listedLack struct {
	Feature string `json:"feature"`
	Reason  string `json:"reason"`
}

type listedApp struct {
	Name   string        `json:"name"`
	Doc    string        `json:"doc"`
	Routes []listedRoute `json:"routes"`
}

type listedRoute struct {
	Method  string `json:"method"`
	Pattern string `json:"pattern"`
}

// list prints the cores and apps.
func list(w io.Writer, asJSON bool) error {
	l, err := makeListing()
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(l)
	} else {
		_, err = io.WriteString(w, l.text())
	}
	if err != nil {
		return fmt.Errorf("print the list: %w", err)
	}
	return nil
}

// makeListing collects the tables. Its slices are never nil, so that JSON says [] and not null.
func makeListing() (*listing, error) {
	l := &listing{Cores: []listedCore{}, Apps: []listedApp{}}
	for _, c := range servers.Cores {
		core := listedCore{Name: c.Name, Doc: c.Doc, Lacks: []listedLack{}}
		if c.Usable != nil {
			if err := c.Usable(); err != nil {
				core.Missing = err.Error()
			}
		}
		for _, lack := range c.Lacks {
			core.Lacks = append(core.Lacks, listedLack{string(lack.Feature), lack.Reason})
		}
		l.Cores = append(l.Cores, core)
	}
	for _, a := range apps.Apps {
		routes, err := a.New(apps.Config{})
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
		app := listedApp{a.Name, a.Doc, []listedRoute{}}
		for _, r := range routes {
			app.Routes = append(app.Routes, listedRoute{r.Method, r.Pattern})
		}
		l.Apps = append(l.Apps, app)
	}
	return l, nil
}

func (l *listing) text() string {
	var b strings.Builder
	b.WriteString("cores\n")
	for _, c := range l.Cores {
		fmt.Fprintf(&b, "  %-11s %s\n", c.Name, c.Doc)
		if c.Missing != "" {
			fmt.Fprintf(&b, "  %-11s %s\n", "", c.Missing)
		}
		for _, lack := range c.Lacks {
			fmt.Fprintf(&b, "  %-11s lacks %s: %s\n", "", lack.Feature, lack.Reason)
		}
	}
	b.WriteString("apps\n")
	for _, a := range l.Apps {
		fmt.Fprintf(&b, "  %-11s %s\n", a.Name, a.Doc)
		for _, r := range a.Routes {
			fmt.Fprintf(&b, "  %-11s %-7s %s\n", "", r.Method, r.Pattern)
		}
	}
	return b.String()
}
