package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"

	"corelab/apps/gateway/address"
)

// deny refuses clients by their address, before anything is asked of them.
type deny struct{ set *address.Set }

var denied = refusal(403, "not from this address", "")

// buildDeny compiles the stage: the same for all routes.
func buildDeny(b *Builder, rt *RouteConfig, up *Upstream, at string) Stage {
	c := b.Config.Limit
	if len(c.Deny) == 0 && c.DenyFile == "" {
		return nil
	}
	set := Memo(b, "deny", "", func() *address.Set {
		networks := c.Deny
		if c.DenyFile != "" {
			more, err := readNetworks(c.DenyFile)
			if err != nil {
				b.Fault("limit.deny_file", "%v", err)
			}
			networks = append(networks[:len(networks):len(networks)], more...)
		}
		set, err := address.Parse(networks...)
		if err != nil {
			b.Fault("limit.deny", "%v", err)
		}
		return set
	})
	return deny{set}
}

// readNetworks reads a file of networks, one a line, in which # begins a comment line.
func readNetworks(path string) (networks []string, err error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && line[0] != '#' {
			networks = append(networks, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return networks, nil
}

// Enter implements Stage. A client whose address the core does not tell is not denied.
func (d deny) Enter(r *Request) Verdict {
	if d.set.Has(r.X.Peer().Addr()) {
		r.Answer(&denied)
		return Done
	}
	return Next
}

// Leave implements Stage.
func (deny) Leave(*Request, *Outcome) {}
