package gateway

import (
	"strings"
	"testing"
)

// TestUpgradesRefused: what would let requests past the stages is no protocol to switch to.
func TestUpgradesRefused(t *testing.T) {
	const config = "[upstreams.up]\nendpoints = [{ address = \"127.0.0.1:1\" }]\n[[routes]]\nname = \"a\"\npath = \"/a\"\nupstream = \"up\"\nforward = { upgrades = [%] }\n"
	for upgrades, want := range map[string]string{
		`"websocket", "h2c"`: "go past every stage",
		`"HTTP/2.0"`:         "go past every stage",
		`"two words"`:        "no name of a protocol",
		`"irc/"`:             "no name of a protocol",
		`""`:                 "no name of a protocol",
	} {
		if got := refused(t, strings.Replace(config, "%", upgrades, 1)); !strings.Contains(got, want) || !strings.Contains(got, "upgrades") {
			t.Errorf("%s: %s", upgrades, got)
		}
	}
	for _, upgrades := range []string{"", `"websocket"`, `"IRC/6.9"`} {
		if _, err := New(Read("gateway.toml", []byte(strings.Replace(config, "%", upgrades, 1)))); err != nil {
			t.Errorf("%s: %v", upgrades, err)
		}
	}
}
