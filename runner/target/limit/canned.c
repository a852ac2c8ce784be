#define _GNU_SOURCE
#include "canned.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORKERS = 256, ANSWER_MAX = 256, EXIT_USAGE = 2 };

static const char answer_format[] =
	"HTTP/1.1 200 OK\r\n"
	"Server: coreserver (corelab)\r\n"
	"Date: %s\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Content-Length: 13\r\n"
	"\r\n"
	"Hello, World!";

char batch[CANNED_BATCH * ANSWER_MAX];
int answer_len;

static time_t dated;

void refresh(void)
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now); /* no system call */
	if (now.tv_sec == dated)
		return;
	dated = now.tv_sec;
	struct tm t;
	gmtime_r(&dated, &t);
	char date[64]; /* strftime would ask the locale for the names */
	snprintf(date, sizeof date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday, months[t.tm_mon],
		t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
	char one[ANSWER_MAX];
	answer_len = snprintf(one, sizeof one, answer_format, date);
	for (int i = 0; i < CANNED_BATCH; i++)
		memcpy(batch + i * answer_len, one, answer_len);
}

const char *piece(uint64_t owed, int *len)
{
	int rest = owed % answer_len; /* of an answer that a short write has cut */
	int from = rest ? answer_len - rest : 0;
	uint64_t most = CANNED_BATCH * answer_len - from;
	*len = owed < most ? owed : most;
	return batch + from;
}

uint64_t count_heads(const char *b, int n, uint8_t *matched)
{
	static const char end[4] = "\r\n\r\n";
	const char *stop = b + n;
	uint64_t heads = 0;
	uint8_t m = *matched;
	while (b < stop) {
		if (m == 0) { /* within a line: jump to its end */
			b = memchr(b, '\r', stop - b);
			if (!b)
				break;
			b++;
			m = 1;
			continue;
		}
		m = *b == end[m] ? m + 1 : *b == '\r';
		b++;
		if (m == 4) {
			heads++;
			m = 0;
		}
	}
	*matched = m;
	return heads;
}

int out_of_files(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void *connections(int size, int *count)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files))
		die(errno, "ask for the limit of open files");
	if (files.rlim_max > CANNED_MAX_FILES)
		files.rlim_max = CANNED_MAX_FILES;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die(errno, "raise the limit of open files to %d", (int)files.rlim_max);
	*count = files.rlim_cur;
	void *table = calloc(*count, size);
	if (!table)
		die(errno, "make a table of %d connections", *count);
	return table;
}

void die(int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", program);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(error ? EXIT_FAILURE : EXIT_USAGE);
}

/* bound returns a socket bound to the port of 127.0.0.1. shared lets other sockets of ours have the port as well. */
static int bound(int port, int shared)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die(errno, "make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) || /* accepted sockets inherit it */
		(shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one)))
		die(errno, "set the options of a socket");
	if (bind(fd, (struct sockaddr *)&at, sizeof at))
		die(errno, "bind 127.0.0.1:%d", port);
	return fd;
}

static int own = -1; /* the listener of this worker */

/* Nothing is drained: what is asked for is the end. A ring lets go of the listener some time after its process. */
static void ended(int signal)
{
	(void)signal;
	shutdown(own, SHUT_RDWR);
	_exit(0);
}

/* A worker that ends alone takes the others with it: the figures would be of fewer than were asked for. */
static void bereft(int signal)
{
	int status = 0;
	(void)signal;
	waitpid(-1, &status, 0);
	_exit(status ? EXIT_FAILURE : EXIT_SUCCESS); /* it has said why */
}

/* number reads what a flag must have, or says what is wrong with it. */
static int number(const char *flag, const char *text, int most)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > most)
		die(0, "%s %s: give a number from 1 to %d", flag, text, most);
	return n;
}

static const char usage[] = "usage: %s --port N [--workers N] [--config]\n"
	"  --port N     listen on this port of 127.0.0.1\n"
	"  --workers N  processes, each with a listener of its own on that port (1)\n"
	"  --config     print how it serves, and end\n"
	"  --version    print the compiler that made it, and end\n";

static struct options parse(int argc, char **argv)
{
	static const struct option flags[] = {
		{"port", required_argument, 0, 'p'}, {"workers", required_argument, 0, 'w'}, {"config", no_argument, 0, 'c'},
		{"version", no_argument, 0, 'v'}, {"help", no_argument, 0, 'h'}, {0},
	};
	struct options o = {.workers = 1};
	int config = 0;
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, ":", flags, 0)) != -1;) {
		switch (c) {
		case 'p': o.port = number("--port", optarg, 65535); break;
		case 'w': o.workers = number("--workers", optarg, MAX_WORKERS); break;
		case 'c': config = 1; break;
		case 'v': printf("%s, compiled by gcc or clang %s\n", program, __VERSION__); exit(0);
		case 'h': printf(usage, program); exit(0);
		case ':': die(0, "%s needs a value; --help shows the flags", argv[optind - 1]);
		default: die(0, "%s is no flag; --help shows them", argv[optind - 1]);
		}
	}
	if (optind < argc)
		die(0, "%s is no flag; --help shows them", argv[optind]);
	if (config) {
		printf("workers %d%s; backlog %d, TCP_NODELAY\n%s", o.workers,
			o.workers > 1 ? ", each a process with a listener of its own (SO_REUSEPORT)" : "", CANNED_BACKLOG, settings);
		exit(0);
	}
	if (!o.port)
		die(0, "--port is missing: give the port of 127.0.0.1 to listen on");
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct sigaction end = {.sa_handler = ended}, alone = {.sa_handler = bereft};
	if (sigaction(SIGTERM, &end, 0) || sigaction(SIGINT, &end, 0) || sigaction(SIGCHLD, &alone, 0))
		die(errno, "await signals");
	int shared = o.workers > 1;
	if (shared)
		close(bound(o.port, 0)); /* a shared port would be shared with a stranger as well */
	int listeners[MAX_WORKERS];
	for (int i = 0; i < o.workers; i++) {
		listeners[i] = bound(o.port, shared);
		if (listen(listeners[i], CANNED_BACKLOG))
			die(errno, "listen on 127.0.0.1:%d", o.port);
	}
	refresh();
	pid_t first = getpid();
	int worker = 0;
	for (int i = 1; i < o.workers && worker == 0; i++) {
		pid_t child = fork();
		if (child < 0)
			die(errno, "start worker %d", i);
		if (child == 0)
			worker = i;
	}
	if (worker > 0) { /* it must not outlive the first, which may have gone before it could say so */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != first)
			_exit(0);
	}
	for (int i = 0; i < o.workers; i++)
		if (i != worker)
			close(listeners[i]);
	own = listeners[worker];
	serve(own, worker);
}
