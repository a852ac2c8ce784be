// Package settings reads a configuration file into a struct, and says everything that is wrong with it at once, each with
// its line: a syntax error, a value of another type than its key takes, a key that nobody knows, and what whoever checks
// the struct adds by [Faults.Add]. The file is TOML; a struct's keys are its toml tags, and there are no others.
package settings
