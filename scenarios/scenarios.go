// Package scenarios holds the questions that the lab asks, one file each. It embeds them and does nothing else; package
// runner reads them.
package scenarios

import "embed"

// Files has every scenario as NAME.toml.
//
//go:embed *.toml
var Files embed.FS
