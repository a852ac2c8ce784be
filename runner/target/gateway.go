package target

import (
	"fmt"
	"strings"
)

// gatewayFile is the configuration of our own gateway, in the directory of its process.
const gatewayFile = "gateway.toml"

// gatewayConfig is our own gateway, with the stages that the work takes.
func gatewayConfig(f *Front) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	_ = p
	return b.String()
}
