package load

import "golang.org/x/sys/unix"

// Engines of our own generator: how it hears of its sockets and moves their bytes.
//
// The engine is the generator's, and so a part of what is measured: it decides in which order, and in what batches, requests
// reach a server. By epoll each answer is read, judged, and its successor sent, before the next answer is looked at: requests
// come one at a time, as from a crowd of clients, and a server on another CPU takes up the first while the rest are still to
// come. (wrk reads all answers of a turn first and sends in the next, but by a call for each.) By io_uring a batch of answers
// is received in one system call, and all requests that follow are sent in the next: the generator costs less, and requests
// come in bursts. A server that gains from batches (fewer waits, one wake-up for many requests) then looks better than to a
// crowd, and the last of a burst has all others before it. So epoll is the default, and all rows that are held against each
// other are loaded by the same engine: io_uring is a generator of another name, which stands in every record.
const (
	EngineEpoll = "epoll"
	EngineUring = "uring"
)

// engine drives the sockets of one loop. It belongs to the loop's goroutine, but for newEngine and close.
type engine interface {
	// enter is called on the loop's thread before anything else is.
	enter()
	// watch begins to report what happens to the descriptor of c.
	watch(c *conn) unix.Errno
	// wait waits for something to serve, at most so many nanoseconds; a signal ends it early.
	wait(ns int64) (ready bool)
	// serve serves what the last wait found.
	serve()
	// write sends c.out, as far as that goes now; the rest follows by itself.
	write(c *conn)
	// drop closes the descriptor of c. What is still reported of it is of an earlier generation.
	drop(c *conn)
	// leave is called on the loop's thread after anything else was.
	leave()
	// close gives back what the engine holds. Descriptors of connections are closed before.
	close()
}

func newEngine(l *loop) (engine, error) {
	if l.spec.Engine == EngineUring {
		return newUringEngine(l)
	}
	return newEpollEngine(l)
}
