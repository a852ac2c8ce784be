package target

import "context"

// Known is a name that [Parse] takes, for a list.
type Known struct {
	Name, Kind, Doc string
	Missing         string // why it cannot run here, with what would install it; empty when it can
}

// NewEnv asks the coreserver binary for its cores. An empty path gives an Env without cores.
func NewEnv(ctx context.Context, coreserver string) (Env, error) { return Env{}, nil }

// Parse reads a TARGET := CORE [flags] | PEER | NAME=COMMAND. Errors are for users: they say what is wrong and show how
// it is written.
func Parse(s string, env Env) (Spec, error) { return Spec{}, nil }

// List returns the names of cores and peers, in the order of their tables.
func (e Env) List() []Known { return nil }
