package probe

import "corelab/results"

// Host describes the machine. What it cannot find out is left empty.
func Host() results.Host { return System.host() }

func (p Proc) host() results.Host { return results.Host{} }

// Tools returns the version line of each outside tool that is installed (nginx, perf, wrk), and of each missing one what
// would install it.
func Tools() (map[string]string, []results.Missing) { return nil, nil }
