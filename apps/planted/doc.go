// Package planted is the app that a lab is held against: one answer, and what is planted in it on purpose, so that the
// truth about it is known. A lab that reports something else is not to be believed.
//
//	GET /planted     Hello, World!, with all that is planted
//	GET /plaintext   the same bytes, never planted: for verification, and for reference
//	GET /counts      what was done so far, as JSON (see [Counts]): exact
package planted
