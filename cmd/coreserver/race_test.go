//go:build race

package main

// Under the race detector the servers of these tests run under it too, and end at the first race.
func init() { buildFlags = append(buildFlags, "-race") }
