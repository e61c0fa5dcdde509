/*
 * Make sequences of memory operations on the real Linux kernel, and say what each gave.
 *
 * Input, one line an operation, all numbers decimal:
 *
 *     sequence PAGES PROCESSES        ends the processes of the one before
 *     PROCESS KIND VA LENGTH A B C    in bytes from the start of the arena
 *
 *     KIND       A               B             C
 *     map        protection      shared
 *     unmap, lock, unlock, mincore
 *     prot       protection
 *     adv        advice
 *     remap      new address     new length    whether the old range stays
 *     w, kw                      value
 *     r, kr
 *     fork       child
 *     reclaim                                   all that MADV_FREE has given back, page by page
 *     exit
 *
 * Output, a line an operation: its errno, or -SIGNAL code page; value; residency ("-" for none).
 * A sequence runs in processes of its own, each operation alone; all of them run on one CPU, so
 * that no page waits in another CPU's list for the page daemon.
 *
 * Build: cc -O1 -o recorder recorder.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define PROCESSES 64
#define PAGES 256
#define ARENA ((char *)0x200000000000L)

struct command {
	char kind[12];
	int process;
	long va, length, a, b, c;
};

struct answer {
	int error, code;
	long page;
	uint64_t value;
	char vec[PAGES + 1];
};

static int commands[PROCESSES][2], answers[2], copies[2];
static sigjmp_buf back;
static volatile int code;
static char *volatile where;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
caught(int number, siginfo_t *info, void *context)
{
	(void)context;
	code = number == SIGBUS ? -info->si_code : info->si_code;
	where = info->si_addr;
	siglongjmp(back, 1);
}

static void
touch(const struct command *c, struct answer *a)
{
	volatile uint64_t *at = (volatile uint64_t *)(ARENA + c->va);

	if (sigsetjmp(back, 1)) {
		a->error = -1;
		a->code = code;
		a->page = (where - ARENA) / PAGE;
	} else if (c->kind[0] == 'w')
		*at = c->b;
	else
		a->value = *at;
}

/* The kernel stores (read(2) from a pipe) or loads (write(2)). */
static void
copy(const struct command *c, struct answer *a)
{
	uint64_t value = c->b, rest;
	int store = c->kind[1] == 'w';

	if (store && write(copies[1], &value, sizeof value) != sizeof value)
		die("write");
	if (store && read(copies[0], ARENA + c->va, sizeof value) < 0)
		a->error = errno;
	if (!store && write(copies[1], ARENA + c->va, sizeof value) < 0)
		a->error = errno;
	else if (!store)
		if (read(copies[0], &a->value, sizeof value) != sizeof value)
			die("read");
	if (store && a->error && read(copies[0], &rest, sizeof rest) < 0)
		die("read");
}

static void
residency(const struct command *c, struct answer *a)
{
	unsigned char vec[PAGES] = {0};
	long pages = (c->length + PAGE - 1) / PAGE;

	if (mincore(ARENA + c->va, c->length, vec) != 0)
		a->error = errno;
	else
		for (long i = 0; i < pages && i < PAGES; i++)
			a->vec[i] = '0' + (vec[i] & 1);
}

static int
call(const struct command *c)
{
	char *at = ARENA + c->va;
	const char *kind = c->kind;
	int shared = c->b ? MAP_SHARED : MAP_PRIVATE;

	if (!strcmp(kind, "map"))
		return mmap(at, c->length, c->a, MAP_FIXED | MAP_ANONYMOUS | shared, -1, 0) ==
		    MAP_FAILED ? errno : 0;
	if (!strcmp(kind, "remap"))
		return mremap(at, c->length, c->b, MREMAP_MAYMOVE | MREMAP_FIXED |
		    (c->c ? MREMAP_DONTUNMAP : 0), ARENA + c->a) == MAP_FAILED ? errno : 0;
	if (!strcmp(kind, "unmap"))
		return munmap(at, c->length) ? errno : 0;
	if (!strcmp(kind, "prot"))
		return mprotect(at, c->length, c->a) ? errno : 0;
	if (!strcmp(kind, "lock"))
		return mlock(at, c->length) ? errno : 0;
	if (!strcmp(kind, "unlock"))
		return munlock(at, c->length) ? errno : 0;
	if (!strcmp(kind, "adv"))
		return madvise(at, c->length, c->a) ? errno : 0;
	fprintf(stderr, "recorder: no operation %s\n", kind);
	exit(1);
}

static void serve(int me);

static void
perform(const struct command *c)
{
	struct answer a = {0};

	if (!strcmp(c->kind, "fork")) {
		pid_t child = fork();
		if (child < 0)
			a.error = errno;
		else if (child == 0)
			serve(c->a);
	} else if (!strcmp(c->kind, "r") || !strcmp(c->kind, "w"))
		touch(c, &a);
	else if (c->kind[0] == 'k')
		copy(c, &a);
	else if (!strcmp(c->kind, "mincore"))
		residency(c, &a);
	else if (!strcmp(c->kind, "reclaim"))
		for (long at = c->va; at < c->length; at += PAGE)
			madvise(ARENA + at, PAGE, MADV_PAGEOUT);
	else if (strcmp(c->kind, "exit"))
		a.error = call(c);
	else /* before the answer: nobody sees how far exit(2) has got */
		munmap(ARENA, PAGES * PAGE);
	if (write(answers[1], &a, sizeof a) != sizeof a)
		die("write");
	if (!strcmp(c->kind, "exit"))
		_exit(0);
}

static void
serve(int me)
{
	struct command c;

	while (read(commands[me][0], &c, sizeof c) == sizeof c)
		perform(&c);
	_exit(0);
}

/* No process of a sequence has a writing end of its commands: it ends with them. */
static pid_t
begin(int processes)
{
	struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
	pid_t first;

	for (int i = 0; i < processes; i++)
		if (pipe(commands[i]) != 0)
			die("pipe");
	if (pipe(answers) != 0)
		die("pipe");
	first = fork();
	if (first != 0)
		return first;
	for (int i = 0; i < processes; i++)
		close(commands[i][1]);
	if (pipe(copies) != 0)
		die("pipe");
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	serve(0);
	return 0;
}

static void
end(pid_t first, int processes)
{
	if (first <= 0)
		return;
	for (int i = 0; i < processes; i++) {
		close(commands[i][0]);
		close(commands[i][1]);
	}
	close(answers[0]);
	close(answers[1]);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

int
main(void)
{
	char line[256];
	pid_t first = 0;
	int processes = 0, next;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (fgets(line, sizeof line, stdin) != NULL) {
		struct command c = {0};
		struct answer a;

		if (sscanf(line, "sequence %*d %d", &next) == 1) {
			end(first, processes);
			processes = next;
			first = begin(processes);
			continue;
		}
		if (sscanf(line, "%d %11s %ld %ld %ld %ld %ld", &c.process, c.kind, &c.va,
		    &c.length, &c.a, &c.b, &c.c) != 7)
			die(line);
		if (write(commands[c.process][1], &c, sizeof c) != sizeof c)
			die("write");
		if (read(answers[0], &a, sizeof a) != sizeof a)
			die("read");
		printf("%d %d %ld %lu %s\n", a.error, a.code, a.page, a.value, a.vec[0] ? a.vec : "-");
	}
	end(first, processes);
	return 0;
}
