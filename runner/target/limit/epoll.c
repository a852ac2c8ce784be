/*
 * limit-epoll: the least that an epoll server can do for a request: one epoll_wait for all that are ready, one read, one
 * write. See canned.h.
 *
 * Edge-triggered: the kernel does not look again at a connection that was read, which saves 1 to 2 %, and a read that did
 * not fill the buffer is known to have taken all. A file closed in a turn can be given to a new connection in the same turn;
 * its events are not stale, since a turn has one event of a file at the most, and that was the one by which it was closed.
 */
#define _GNU_SOURCE
#include "canned.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	EVENTS = 512,        /* of a turn */
	ACCEPTS = 64,        /* of a turn */
	READS = 8,           /* of a connection in a turn: the others wait */
	INPUT = 16 << 10,    /* bytes of a read */
};

const char program[] = "limit-epoll";
const char settings[] =
	"epoll_wait for 512 events, edge-triggered; one read of 16 KiB and one write a request, or a pipelined batch of up to 64\n"
	"counts CR LF CR LF and answers canned bytes: nothing is parsed\n";

/* A connection by its file. */
struct conn {
	uint64_t owed;   /* bytes of answers that are not written */
	uint8_t matched; /* of CR LF CR LF */
	uint8_t ended;   /* the peer sends no more */
	uint8_t full;    /* the socket takes no more: it is watched for room alone */
};

static int epoll, listener;
static struct conn *conns;
static int conn_count;
static int paused; /* accepting waits for a file to be closed */

/* rewatch changes for what a file is watched, which needs no memory and does not fail. */
static void rewatch(int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e))
		die(errno, "watch file %d", fd);
}

/* The listener is level-triggered: a burst may leave some in the backlog. */
static void resume_accept(void)
{
	if (paused) {
		paused = 0;
		rewatch(listener, EPOLLIN);
	}
}

static void drop(int fd)
{
	close(fd);
	resume_accept();
}

static void accept_burst(void)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= conn_count) { /* cannot be: the table is as long as the limit of files */
			close(fd);
			continue;
		}
		if (fd >= 0) {
			struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
			conns[fd] = (struct conn){0};
			if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e)) /* the kernel has no memory, or its user no more watches */
				close(fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (out_of_files(errno)) {
			paused = 1;
			rewatch(listener, 0);
			return;
		}
		/* Any other error is of the one connection, accept(2). */
	}
}

/* take reads what has come. It says whether more may be there; -1: the connection is dead. */
static int take(int fd, struct conn *c, uint32_t events)
{
	static char input[INPUT];
	for (int i = 0; i < READS; i++) {
		ssize_t n = recv(fd, input, sizeof input, 0);
		if (n > 0) {
			c->owed += count_heads(input, n, &c->matched) * answer_len;
			if (n < INPUT && !(events & EPOLLRDHUP))
				return 0;
			continue;
		}
		if (n == 0) {
			c->ended = 1;
			return 0;
		}
		if (errno != EINTR)
			return errno == EAGAIN ? 0 : -1;
	}
	return 1;
}

/* put writes what is owed, until the socket takes no more. -1: the connection is dead. */
static int put(int fd, struct conn *c)
{
	while (c->owed > 0) {
		int len;
		const char *p = piece(c->owed, &len);
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n >= 0)
			c->owed -= n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

static void serve_conn(int fd, uint32_t events)
{
	struct conn *c = &conns[fd];
	int more = 0;
	if (!c->full && !c->ended && (more = take(fd, c, events)) < 0) {
		drop(fd);
		return;
	}
	if (put(fd, c) < 0 || (c->ended && c->owed == 0)) {
		drop(fd);
		return;
	}
	/* Watching anew tells again what is there already: what was not read becomes an event of the next turn. */
	int full = c->owed > 0;
	if (full != c->full || more) {
		c->full = full;
		rewatch(fd, (full ? EPOLLOUT : EPOLLIN | EPOLLRDHUP) | EPOLLET);
	}
}

void serve(int on, int worker)
{
	(void)worker;
	static struct epoll_event events[EVENTS];
	listener = on;
	conns = connections(sizeof *conns, &conn_count);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || fcntl(listener, F_SETFL, O_NONBLOCK))
		die(errno, "make an epoll");
	struct epoll_event first = {.events = EPOLLIN, .data.fd = listener};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &first))
		die(errno, "watch the listener");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, paused ? CANNED_PAUSE_MS : -1);
		if (n < 0 && errno != EINTR)
			die(errno, "wait for events");
		if (n == 0)
			resume_accept();
		refresh();
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_burst();
			else
				serve_conn(events[i].data.fd, events[i].events);
		}
	}
}
