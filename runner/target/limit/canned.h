/*
 * canned.h: what the two limits share. Each is one loop that counts CR LF CR LF and answers with the same bytes; they
 * differ in how they wait. Neither parses anything, so that they show what the kernel takes of a request, not how a
 * server is written: whatever is asked, the answer is Hello, World!, and a body is taken for a request.
 *
 * A worker is a process, with a listener of its own on the same port: it shares nothing, not even the table of files.
 */
#ifndef CANNED_H
#define CANNED_H

#include <stdint.h>

enum {
	CANNED_BATCH = 64,       /* answers that one write holds at the most */
	CANNED_BACKLOG = 4096,   /* connections that the kernel has accepted and the loop has not */
	CANNED_PAUSE_MS = 50,    /* how long the backlog is left alone when files have run out */
	CANNED_MAX_FILES = 1 << 20,
};

/* What main is told by its flags. */
struct options {
	int port;
	int workers;
};

/*
 * The program's name, and the settings that --config prints for people, one a line. Each program defines them. The lines
 * are about one worker.
 */
extern const char program[];
extern const char settings[];

/* serve is the loop of one worker, on its own listener, which blocks. It returns only by dying. */
void serve(int listener, int worker);

/* The answers of the second, CANNED_BATCH of them one after another. Their length never changes. */
extern char batch[];
extern int answer_len;

/* refresh writes the date into the answers when the second has changed. Call it once a turn. */
void refresh(void);

/* piece says where in batch the bytes lie that a connection is owed next, and how many there are at once. */
const char *piece(uint64_t owed, int *len);

/* count_heads counts the CR LF CR LF in b. matched is how much of one has been seen at the end of what came before. */
uint64_t count_heads(const char *b, int n, uint8_t *matched);

/* out_of_files says that accept failed for want of a file or of memory, which ends when something is closed. */
int out_of_files(int error);

/* connections returns the zeroed table of connections by file, of size bytes each, and how many it has. */
void *connections(int size, int *count);

/* die prints what failed, and why, to standard error, and ends the process. Its format has no newline. */
__attribute__((noreturn, format(printf, 2, 3))) void die(int error, const char *format, ...);

#endif
