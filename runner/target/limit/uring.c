/*
 * limit-uring: the least that an io_uring server can do for a request: one io_uring_enter for all that are ready, in which
 * the kernel sends what was queued and receives what has come. See canned.h.
 *
 * Accept and receive are multishot: armed once for each socket, they go on by themselves, and take their memory from a ring
 * of buffers. Task work is deferred to the wait, where one thread alone submits. A send never waits (MSG_DONTWAIT) and must
 * send all (MSG_WAITALL), so that it is over when io_uring_enter returns and tells only of what went wrong: no completion
 * means success. What a socket does not take is sent by a second one that waits, and completes in any case.
 *
 * There is no library: the rings are memory shared with the kernel, and two system calls. Left out, for what it was measured to
 * give: registered files, 1.3 % of the CPU of a request; a registered ring and fewer buffers, nothing that shows.
 */
#define _GNU_SOURCE
#include "canned.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	SUBMISSIONS = 1024,   /* that wait for one io_uring_enter; a power of two */
	COMPLETIONS = 8192,   /* that the kernel holds before it must remember the rest elsewhere; a power of two */
	BUFFERS = 1024,       /* in the ring; a power of two, below 65536 */
	BUFFER_SIZE = 2048,   /* bytes: more than a pipelined batch of 16 requests */
	GROUP = 0,            /* of the buffers */
};

const char program[] = "limit-uring";
const char settings[] =
	"io_uring: multishot accept and receive, a ring of 1024 buffers of 2 KiB, deferred task work, single issuer; sends are\n"
	"submitted with the wait, one a connection and turn for a batch of up to 64 answers, without a completion where all was sent\n"
	"counts CR LF CR LF and answers canned bytes: nothing is parsed\n";

/* What a completion is of, in the upper half of its user data; the lower half is the file. */
enum { ACCEPT, RECEIVE, SEND, FINISH, RESUME };

/* A connection by its file. */
struct conn {
	uint64_t owed;     /* bytes of answers that are neither sent nor in a send under way */
	uint32_t sending;  /* bytes of that send, the one without a completion, and then the one that waits */
	uint8_t matched;   /* of CR LF CR LF */
	uint8_t ended;     /* nothing more will be received, and no receive is armed */
	uint8_t dead;      /* nothing can be sent */
	uint8_t finishing; /* a send that waits is under way */
	uint8_t listed;    /* in the list of those to be seen to */
};

static int ring, listener;
static unsigned *sq_head, *sq_tail, sq_mask, sq_local;
static struct io_uring_sqe *sqes;
static unsigned *cq_head, *cq_tail, cq_mask;
static struct io_uring_cqe *cqes;
static struct io_uring_buf_ring *buffers;
static char *buffer_bytes;
static uint16_t buffer_tail;

static struct conn *conns;
static int conn_count;
static int *todo, *later, todo_count; /* files of connections to be seen to before the next wait */
static int paused;                    /* accepting waits for a file to be closed, or for the end of a pause */

static unsigned queued(void) { return sq_local - __atomic_load_n(sq_head, __ATOMIC_ACQUIRE); }

/* enter submits what is queued and waits for at least so many completions. */
static void enter(unsigned wait)
{
	__atomic_store_n(sq_tail, sq_local, __ATOMIC_RELEASE);
	/* EINTR, and EBUSY and EAGAIN when the kernel is short of memory: what was not submitted is with the next call. */
	if (syscall(SYS_io_uring_enter, ring, queued(), wait, IORING_ENTER_GETEVENTS, 0, 0) < 0 && errno != EINTR &&
		errno != EBUSY && errno != EAGAIN)
		die(errno, "enter the ring");
}

/* submission returns the next one to fill, which is zeroed but for what it is and of whom. */
static struct io_uring_sqe *submission(int op, int what, int fd)
{
	while (queued() > sq_mask)
		enter(0);
	struct io_uring_sqe *s = &sqes[sq_local++ & sq_mask];
	memset(s, 0, sizeof *s);
	s->opcode = op;
	s->fd = fd;
	s->user_data = (uint64_t)what << 32 | (uint32_t)fd;
	return s;
}

static void arm_accept(void)
{
	struct io_uring_sqe *s = submission(IORING_OP_ACCEPT, ACCEPT, listener);
	s->ioprio = IORING_ACCEPT_MULTISHOT;
	s->accept_flags = SOCK_CLOEXEC;
	paused = 0;
}

static void arm_receive(int fd)
{
	struct io_uring_sqe *s = submission(IORING_OP_RECV, RECEIVE, fd);
	s->ioprio = IORING_RECV_MULTISHOT;
	s->flags = IOSQE_BUFFER_SELECT;
	s->buf_group = GROUP;
}

/* later_accept leaves the backlog alone for a while. */
static void later_accept(void)
{
	static struct __kernel_timespec pause = {.tv_nsec = CANNED_PAUSE_MS * 1000000};
	struct io_uring_sqe *s = submission(IORING_OP_TIMEOUT, RESUME, -1);
	s->addr = (uintptr_t)&pause;
	s->len = 1;
	paused = 1;
}

/* see has the connection seen to before the next wait. */
static void see(int fd)
{
	if (!conns[fd].listed) {
		conns[fd].listed = 1;
		todo[todo_count++] = fd;
	}
}

static void accepted(int res, int more)
{
	if (res >= conn_count) { /* cannot be: the table is as long as the limit of files */
		close(res);
	} else if (res >= 0) {
		uint8_t listed = conns[res].listed; /* by the file's last connection */
		conns[res] = (struct conn){.listed = listed};
		arm_receive(res);
	}
	if (more)
		return;
	if (res < 0 && out_of_files(-res))
		later_accept();
	else
		arm_accept();
}

/* give returns a buffer to the ring; the kernel sees it once the tail is published. */
static void give(unsigned id)
{
	struct io_uring_buf *b = &buffers->bufs[buffer_tail++ & (BUFFERS - 1)];
	b->addr = (uintptr_t)(buffer_bytes + id * BUFFER_SIZE);
	b->len = BUFFER_SIZE;
	b->bid = id;
}

static void received(int fd, const struct io_uring_cqe *e)
{
	struct conn *c = &conns[fd];
	if (e->flags & IORING_CQE_F_BUFFER) {
		unsigned id = e->flags >> IORING_CQE_BUFFER_SHIFT;
		if (e->res > 0)
			c->owed += count_heads(buffer_bytes + id * BUFFER_SIZE, e->res, &c->matched) * answer_len;
		give(id);
	}
	if (!(e->flags & IORING_CQE_F_MORE)) {
		if (e->res > 0 || e->res == -ENOBUFS) { /* no buffer is left, or the kernel has its own reasons */
			arm_receive(fd);
		} else {
			c->ended = 1;
			c->dead |= e->res < 0;
		}
	}
	see(fd);
}

/* cut is told that nothing can be sent any more. A receive that is still armed is made to end. */
static void cut(int fd)
{
	conns[fd].dead = 1;
	if (!conns[fd].ended)
		shutdown(fd, SHUT_RDWR);
	see(fd);
}

/* fell_short is told of a send that did not take all: how much it took, or an error. */
static void fell_short(int fd, int res)
{
	struct conn *c = &conns[fd];
	if (res < 0 && res != -EAGAIN && res != -EINTR) {
		cut(fd);
		return;
	}
	c->owed += c->sending - (res > 0 ? res : 0);
	c->finishing = 1;
	int len;
	const char *p = piece(c->owed, &len);
	struct io_uring_sqe *s = submission(IORING_OP_SEND, FINISH, fd);
	s->addr = (uintptr_t)p;
	s->len = len;
	s->msg_flags = MSG_NOSIGNAL | MSG_WAITALL;
	c->owed -= len;
	c->sending = len;
}

static void finished(int fd, int res)
{
	struct conn *c = &conns[fd];
	c->finishing = 0;
	if (res < 0 && res != -EINTR) {
		cut(fd);
		return;
	}
	c->owed += c->sending - (res > 0 ? res : 0);
	see(fd);
}

/*
 * serve_conn queues a send of what is owed. It is over when the next completions are there, and so the connection is seen
 * to again if it is to be closed then, or owed more.
 */
static void serve_conn(int fd)
{
	struct conn *c = &conns[fd];
	if (c->finishing)
		return;
	if (c->dead)
		c->owed = 0;
	if (c->owed == 0) {
		if (!c->ended)
			return;
		c->ended = c->dead = 0; /* the file may be another's now */
		close(fd);
		if (paused)
			arm_accept();
		return;
	}
	int len;
	const char *p = piece(c->owed, &len);
	struct io_uring_sqe *s = submission(IORING_OP_SEND, SEND, fd);
	s->addr = (uintptr_t)p;
	s->len = len;
	s->msg_flags = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL;
	s->flags = IOSQE_CQE_SKIP_SUCCESS;
	c->owed -= len;
	c->sending = len;
	if (c->ended || c->owed > 0)
		see(fd);
}

static void complete(const struct io_uring_cqe *e)
{
	int fd = (int)(uint32_t)e->user_data;
	switch (e->user_data >> 32) {
	case ACCEPT:  accepted(e->res, e->flags & IORING_CQE_F_MORE); break;
	case RECEIVE: received(fd, e); break;
	case SEND:    fell_short(fd, e->res); break;
	case FINISH:  finished(fd, e->res); break;
	case RESUME:
		if (paused)
			arm_accept();
	}
}

/* refuse says what it takes, where the kernel does not do it. */
static void refuse(int error, const char *what)
{
	die(error, "%s: it takes Linux 6.1 with io_uring allowed (sysctl kernel.io_uring_disabled, seccomp)", what);
}

static void *map(size_t size, off_t what)
{
	void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what);
	if (p == MAP_FAILED)
		die(errno, "map the ring");
	return p;
}

static void open_ring(void)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = COMPLETIONS,
	};
	ring = syscall(SYS_io_uring_setup, SUBMISSIONS, &p);
	if (ring < 0)
		refuse(errno, "make a ring");
	/* Since Linux 5.4 both rings are in one map, and IORING_FEAT_CQE_SKIP came later. */
	if (!(p.features & IORING_FEAT_CQE_SKIP))
		refuse(ENOSYS, "send without a completion");
	size_t sq = p.sq_off.array + p.sq_entries * sizeof(unsigned), cq = p.cq_off.cqes + p.cq_entries * sizeof *cqes;
	char *rings = map(sq > cq ? sq : cq, IORING_OFF_SQ_RING);
	sqes = map(p.sq_entries * sizeof *sqes, IORING_OFF_SQES);
	sq_head = (unsigned *)(rings + p.sq_off.head);
	sq_tail = (unsigned *)(rings + p.sq_off.tail);
	sq_mask = *(unsigned *)(rings + p.sq_off.ring_mask);
	sq_local = *sq_tail;
	for (unsigned i = 0; i < p.sq_entries; i++)
		((unsigned *)(rings + p.sq_off.array))[i] = i;
	cq_head = (unsigned *)(rings + p.cq_off.head);
	cq_tail = (unsigned *)(rings + p.cq_off.tail);
	cq_mask = *(unsigned *)(rings + p.cq_off.ring_mask);
	cqes = (struct io_uring_cqe *)(rings + p.cq_off.cqes);
}

static void open_buffers(void)
{
	size_t size = BUFFERS * (sizeof(struct io_uring_buf) + BUFFER_SIZE);
	char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		die(errno, "make the buffers");
	buffers = (struct io_uring_buf_ring *)p;
	buffer_bytes = p + BUFFERS * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg r = {.ring_addr = (uintptr_t)p, .ring_entries = BUFFERS, .bgid = GROUP};
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_PBUF_RING, &r, 1))
		refuse(errno, "register a ring of buffers");
	for (unsigned i = 0; i < BUFFERS; i++)
		give(i);
	__atomic_store_n(&buffers->tail, buffer_tail, __ATOMIC_RELEASE);
}

void serve(int on, int worker)
{
	(void)worker;
	listener = on;
	conns = connections(sizeof *conns, &conn_count);
	todo = calloc(2 * (size_t)conn_count, sizeof *todo);
	if (!todo)
		die(errno, "make a list of %d connections", conn_count);
	later = todo + conn_count;
	open_ring();
	open_buffers();
	arm_accept();
	for (;;) {
		enter(todo_count == 0);
		int submitted = queued() == 0;
		refresh();
		unsigned head = *cq_head, tail = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
		for (; head != tail; head++)
			complete(&cqes[head & cq_mask]);
		__atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
		__atomic_store_n(&buffers->tail, buffer_tail, __ATOMIC_RELEASE);
		if (!submitted) /* a send that is yet to be submitted must not be followed by another of its connection */
			continue;
		int *turn = todo, n = todo_count;
		todo = later;
		later = turn;
		todo_count = 0;
		for (int i = 0; i < n; i++) {
			conns[turn[i]].listed = 0;
			serve_conn(turn[i]);
		}
	}
}
