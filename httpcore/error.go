package httpcore

// Error is what a peer did wrong, and the status that answers it. The connection does not survive one.
type Error struct {
	Status int    // 400, 408, 413, 414, 431, 501, 505
	Reason string // what was wrong, for people: "bare LF in a field line"
}

func (e *Error) Error() string { return e.Reason }
