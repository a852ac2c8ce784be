package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"corelab/runner"
	"corelab/runner/load"
	"corelab/runner/target"
	"corelab/scenarios"
)

// ListCmd lists what there is to measure with.
type ListCmd struct {
	JSON       bool   `help:"Print as JSON."`
	Coreserver string `placeholder:"PATH" help:"The coreserver binary; otherwise the one next to this program."`
}

// listing is what list prints.
type listing struct {
	Cores      []target.Core       `json:"cores"`
	Peers      []listedPeer        `json:"peers"`
	Scenarios  []listedScenario    `json:"scenarios"`
	Generators []listedGenerator   `json:"generators"`
	Plans      map[string][]string `json:"plans"` // the scenarios in each
}

type listedPeer struct {
	Name    string `json:"name"`
	Doc     string `json:"doc"`
	Missing string `json:"missing,omitempty"`
}

type listedScenario struct {
	Name     string   `json:"name"`
	Question string   `json:"question"`
	Load     string   `json:"load"`
	Cases    []string `json:"cases,omitempty"`
}

type listedGenerator struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Missing string `json:"missing,omitempty"`
}

// Run prints the lists.
func (c *ListCmd) Run() error {
	l, err := c.listing(context.Background())
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(l)
	}
	return l.print(os.Stdout)
}

func (c *ListCmd) listing(ctx context.Context) (listing, error) {
	l := listing{Plans: map[string][]string{}}
	path, err := findCoreserver(ctx, c.Coreserver)
	if err != nil {
		return l, err
	}
	env, err := target.NewEnv(ctx, path)
	if err != nil {
		return l, err
	}
	l.Cores = env.Cores
	for _, k := range env.List() {
		if k.Kind == target.KindPeer {
			l.Peers = append(l.Peers, listedPeer{k.Name, k.Doc, k.Missing})
		}
	}
	all, err := runner.LoadScenarios(scenarios.Files)
	if err != nil {
		return l, err
	}
	for _, s := range all {
		l.Scenarios = append(l.Scenarios, listedScenario{s.Name, s.Question, s.Words(), s.CaseNames()})
		for _, p := range runner.PlanNames {
			if s.Plan.In(p) != nil {
				l.Plans[p] = append(l.Plans[p], s.Name)
			}
		}
	}
	missing := absent()
	for _, g := range load.Generators {
		entry := listedGenerator{Name: g.Name(), Missing: missing[runner.Generator(g.Name())]}
		if entry.Missing == "" {
			entry.Version = g.Version()
		}
		l.Generators = append(l.Generators, entry)
	}
	return l, nil
}

func (l listing) print(out *os.File) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CORES (--cores, or --target 'CORE flags')")
	for _, c := range l.Cores {
		fmt.Fprintf(w, "  %s\t%s\n", c.Name, orMissing(c.Doc, c.Missing))
		if len(c.Lacks) > 0 {
			var names []string
			for _, k := range c.Lacks {
				names = append(names, k.Feature)
			}
			fmt.Fprintf(w, "  \tlacks %s\n", strings.Join(names, ", "))
		}
	}
	fmt.Fprintln(w, "\nPEERS")
	for _, p := range l.Peers {
		fmt.Fprintf(w, "  %s\t%s\n", p.Name, orMissing(p.Doc, p.Missing))
	}
	fmt.Fprintln(w, "\nSCENARIOS")
	for _, s := range l.Scenarios {
		fmt.Fprintf(w, "  %s\t%s\n  \t%s\n", s.Name, s.Question, s.Load)
		if s.Cases != nil {
			fmt.Fprintf(w, "  \tcases %s\n", strings.Join(s.Cases, " "))
		}
	}
	fmt.Fprintln(w, "\nGENERATORS (--generator)")
	for _, g := range l.Generators {
		fmt.Fprintf(w, "  %s\t%s\n", g.Name, orMissing(g.Version, g.Missing))
	}
	fmt.Fprintln(w, "\nPLANS (--plan)")
	for _, p := range runner.PlanNames {
		fmt.Fprintf(w, "  %s\t%s\n", p, strings.Join(l.Plans[p], " "))
	}
	return w.Flush()
}

func orMissing(text, missing string) string {
	if missing != "" {
		return "missing: " + missing
	}
	return text
}
