//go:build !goexperiment.simd || !amd64

package httpcore

// scanSet is scanClass where the class is one of those of names and targets.
func scanSet(b []byte, i int, c uint8) int { return scanClass(b, i, c) }

// scanToken returns the index of the first byte of b from i on that no token may hold, or len(b).
func scanToken(b []byte, i int) int { return scanClass(b, i, tokenByte) }

// scanValue returns the index of the first byte of b from i on that no field value may hold, or len(b).
func scanValue(b []byte, i int) int { return scanWords(b, i) }
