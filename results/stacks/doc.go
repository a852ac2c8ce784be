// Package stacks is a profile as stacks of functions, and what is made of it: the layers in which the time went, folded text,
// a flame graph, and the difference between two profiles.
//
//	Read, Unfold → Profile ─┬─ Attribute: by the table in layers.txt, every sample in one Layer
//	                        ├─ Fold: one line a stack, for other people's tools
//	                        ├─ Flame: one self-contained SVG that zooms and searches
//	                        └─ FlameDiff: the same of two profiles, coloured by what grew and what shrank
//
// A profile is a file in the format of profile.proto, as perf's samples and Go's own profiles are stored. The package opens
// no files and starts nothing: everything in it is a pure function of the bytes.
//
// The layers are a table of function names and nothing else: layers.txt, whose head says how it is read and what its order
// decides in the hard cases. What it cannot know it says: a stack without a function that it names is [Other], whose leaves
// are in Attribution.Unknown, and what it gave to [Handler] only because it is the program's own is Attribution.Unnamed.
// A program without symbols or without frame pointers gives little to read: of nginx as distributions ship it the function
// that ran is known where it is not static, and none of its callers.
package stacks
