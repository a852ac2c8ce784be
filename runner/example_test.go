package runner_test

import (
	"fmt"

	"corelab/runner"
)

// anything is a target that can do whatever is asked.
type anything struct{}

func (anything) Lacks(_, _ string) string     { return "" }
func (anything) LacksFeature(_ string) string { return "" }
func (anything) LacksWork(_ string) string    { return "" }
func (anything) Limit() bool                  { return false }

func Example() {
	s, err := runner.ParseScenario("mine.toml", []byte(`
question = "Does it hold?"
why = "Because it must."
request = "GET /"
placement = "one"
rounds = 2
[expect]
body = "ok"
[load]
loop = "closed"
[vary]
connections = [8, 64]
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Words())
	plan, err := runner.NewPlan([]*runner.Scenario{s}, []runner.Entrant{{Name: "mine", Subject: anything{}}}, runner.Ask{WarmUp: -1, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range plan.Steps() {
		fmt.Printf("%d %s %s %q by %s, %v\n", step.Round, step.Case.Name, step.Target, step.Role, step.Generator, step.Duration)
	}
	// Output:
	// GET /, closed loop, 8 or 64 connections, placement one, by corelab
	// 1 connections=8 mine "aa" by corelab, 1s
	// 1 connections=8 mine "second" by wrk, 1s
	// 1 connections=8 mine "" by corelab, 1s
	// 1 connections=64 mine "aa" by corelab, 1s
	// 1 connections=64 mine "" by corelab, 1s
	// 2 connections=64 mine "aa" by corelab, 1s
	// 2 connections=64 mine "" by corelab, 1s
	// 2 connections=8 mine "second" by wrk, 1s
	// 2 connections=8 mine "" by corelab, 1s
	// 2 connections=8 mine "aa" by corelab, 1s
}

func ExampleParseScenario() {
	_, err := runner.ParseScenario("mine.toml", []byte("question = \"Does it hold?\"\n[load]\nconections = 8\n"))
	fmt.Println(err)
	// Output:
	// mine.toml:3:1: unknown key "conections" in [load]; allowed: arrival, burst, check-every, connections, depth, fresh, idle, loop, percent, rate, threads, time-out
}
