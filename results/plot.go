package results

// Plots makes the pictures, by file name.
func Plots(rec *Record) (map[string][]byte, error) { return map[string][]byte{}, nil }
