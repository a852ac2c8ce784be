// Package results is the record of a run, and what is made of it: statistics, tables, plots, Go benchmark format. Tables
// and plots are pure functions of recorded runs.
package results
