/*
 * pico: times picohttpparser on one head, which is its argument's file. Each line on its input is a number of parses; the
 * answer is the nanoseconds that they took. See package rivals.
 */
#include <picohttpparser.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_FIELDS = 100, MAX_HEAD = 1 << 16 };

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	static char head[MAX_HEAD];
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!f) {
		fprintf(stderr, "usage: pico FILE, which has one head\n");
		return 2;
	}
	size_t len = fread(head, 1, sizeof head, f);
	for (long long times; scanf("%lld", &times) == 1;) {
		long long began = now();
		for (long long i = 0; i < times; i++) {
			const char *method, *path;
			size_t method_len, path_len, fields = MAX_FIELDS;
			struct phr_header headers[MAX_FIELDS];
			int minor;
			int n = phr_parse_request(head, len, &method, &method_len, &path, &path_len, &minor, headers, &fields, 0);
			if (n != (int)len) {
				fprintf(stderr, "pico: %d of %zu bytes are a head\n", n, len);
				return 1;
			}
		}
		printf("%lld\n", now() - began);
		fflush(stdout);
	}
	return 0;
}
