/*
 * Measures what virtual memory operations cost on this Linux machine.
 *
 * Prints a line per figure as soon as it is known: name, median in ns, number of samples. Needs no
 * privileges. Every figure is bounded in samples and in time; all together take some seconds.
 * Targets of shootdowns are threads of this process that spin in user mode on other CPUs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define SAMPLES_MAX 400
#define BUDGET_NS 400000000.0
#define POOL_PAGES ((size_t)8192)
#define TARGETS_MAX 16

static int cpus[1 + TARGETS_MAX], cpu_count;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		fail("sched_setaffinity");
}

static char *map_pages(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	return p;
}

static void touch(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		((volatile char *)p)[i * PAGE] = 1;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One sample: prepares, measures, and returns ns. */
typedef double (*sample_fn)(size_t n);

static double median(sample_fn sample, size_t n, int *count)
{
	static double found[SAMPLES_MAX];
	double end = now() + BUDGET_NS;
	int i = 0;

	sample(n);
	while (i < SAMPLES_MAX && (i < 5 || now() < end))
		found[i++] = sample(n);
	qsort(found, i, sizeof found[0], ascending);
	*count = i;
	return found[i / 2];
}

static void report(const char *name, double ns, int count)
{
	printf("%s %.2f %d\n", name, ns, count);
	fflush(stdout);
}

static void measure(const char *name, sample_fn sample, size_t n)
{
	int count;
	double ns = median(sample, n, &count);

	report(name, ns, count);
}

/* Cost of a further page: from the difference of two sizes. */
static void measure_slope(const char *name, sample_fn sample, size_t few, size_t many)
{
	int count, other;
	double low = median(sample, few, &count), high = median(sample, many, &other);

	report(name, (high - low) / (double)(many - few), count < other ? count : other);
}

static char *pages;

static double null_call(size_t n)
{
	double t = now();

	for (size_t i = 0; i < n; i++)
		syscall(SYS_getppid);
	return (now() - t) / n;
}

static double write_fault(size_t n)
{
	double t;

	madvise(pages, n * PAGE, MADV_DONTNEED);
	t = now();
	touch(pages, n);
	return (now() - t) / n;
}

static double discard(size_t n)
{
	double t;

	touch(pages, n);
	t = now();
	madvise(pages, n * PAGE, MADV_DONTNEED);
	return now() - t;
}

static double write_protect(size_t n)
{
	double ns, t;

	touch(pages, n);
	t = now();
	mprotect(pages, n * PAGE, PROT_READ);
	ns = now() - t;
	mprotect(pages, n * PAGE, PROT_READ | PROT_WRITE);
	return ns;
}

static double zero(size_t n)
{
	double t = now();

	for (size_t i = 0; i < n; i++) {
		memset(pages + i * PAGE, 0, PAGE);
		__asm__ volatile("" : : "r"(pages) : "memory");
	}
	return (now() - t) / n;
}

/* With a cold source: another part of the pool each time. */
static double copy(size_t n)
{
	static size_t at;
	double t;

	at = (at + n) % (POOL_PAGES - n);
	t = now();
	for (size_t i = 0; i < n; i++) {
		memcpy(pages + i * PAGE, pages + ((at + i * 61) % POOL_PAGES) * PAGE, PAGE);
		__asm__ volatile("" : : "r"(pages) : "memory");
	}
	return (now() - t) / n;
}

/* Stores through translations that are cached with the dirty bit clear, less plain stores. */
static double set_dirty(size_t n)
{
	double dirtying, t;
	volatile char *p = pages;
	char seen = 0;

	touch(pages, n);
	madvise(pages, n * PAGE, MADV_FREE);
	for (size_t i = 0; i < n; i++)
		seen += p[i * PAGE];
	t = now();
	touch(pages, n);
	dirtying = now() - t;
	t = now();
	touch(pages, n);
	(void)seen;
	return (dirtying - (now() - t)) / n;
}

static void permit(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info, (void)context;
	mprotect(pages, PAGE, PROT_READ | PROT_WRITE);
}

/* SIGSEGV with a handler that permits the access, less the cost of permitting it. */
static double segv(size_t n)
{
	double both, t;

	touch(pages, 1);
	mprotect(pages, PAGE, PROT_NONE);
	t = now();
	touch(pages, n);
	both = now() - t;
	mprotect(pages, PAGE, PROT_NONE);
	t = now();
	mprotect(pages, PAGE, PROT_READ | PROT_WRITE);
	return both - (now() - t);
}

static int there[2], back[2];

static double pass_token(int to, int from, size_t n)
{
	char token = 0;
	double t = now();

	for (size_t i = 0; i < n; i++)
		if (write(to, &token, 1) != 1 || read(from, &token, 1) != 1)
			fail("pipe");
	return (now() - t) / n;
}

static double through_own_pipe(size_t n)
{
	return pass_token(there[1], there[0], n);
}

static double through_other_process(size_t n)
{
	return pass_token(there[1], back[0], n);
}

/* Two processes on one CPU pass a token back and forth: two switches and twice the pipe's cost. */
static void measure_context_switch(void)
{
	int count, other;
	double pipe_ns, both_ns;
	char token;
	pid_t child;

	if (pipe(there) != 0 || pipe(back) != 0)
		fail("pipe");
	pipe_ns = median(through_own_pipe, 200, &other);
	child = fork();
	if (child < 0)
		fail("fork");
	if (child == 0) {
		close(there[1]);
		while (read(there[0], &token, 1) == 1)
			if (write(back[1], &token, 1) != 1)
				break;
		_exit(0);
	}
	both_ns = median(through_other_process, 200, &count);
	close(there[1]);
	waitpid(child, NULL, 0);
	report("context_switch", (both_ns - 2 * pipe_ns) / 2, count < other ? count : other);
}

/*
 * Targets. Other programs may take their CPUs, so a sample is taken only when all of them run: a
 * kernel does not interrupt a CPU that runs no thread of the process.
 */

struct target {
	int cpu;
	volatile long beats;
	volatile double stolen_ns;
	char apart[128];
};

static struct target targets[TARGETS_MAX];
static volatile int stop, running;

static void *spin(void *given)
{
	struct target *self = given;
	double last, t;

	pin(self->cpu);
	last = now();
	while (!stop) {
		t = now();
		if (t - last > 150)
			self->stolen_ns += t - last;
		last = t;
		self->beats++;
	}
	return NULL;
}

/* Waits, for a while, until every target has just run. */
static void wait_for_targets(void)
{
	double end = now() + 20e6;

	for (int i = 0; i < running; i++)
		for (long seen = targets[i].beats; targets[i].beats - seen < 3 && now() < end;)
			;
}

static double protect_shared(size_t n)
{
	wait_for_targets();
	return write_protect(n);
}

/* What a shootdown costs the first target. */
static double stolen(size_t n)
{
	double before;

	wait_for_targets();
	before = targets[0].stolen_ns;
	write_protect(n);
	wait_for_targets();
	return targets[0].stolen_ns - before;
}

static void start(pthread_t *threads, int wanted)
{
	stop = 0;
	for (int i = 0; i < wanted; i++) {
		targets[i].cpu = cpus[1 + i];
		if (pthread_create(&threads[i], NULL, spin, &targets[i]) != 0)
			fail("pthread_create");
	}
	running = wanted;
}

static void finish(pthread_t *threads)
{
	stop = 1;
	for (int i = 0; i < running; i++)
		pthread_join(threads[i], NULL);
}

static void measure_shootdowns(void)
{
	pthread_t threads[TARGETS_MAX];
	int all = cpu_count - 1, count, other;
	double alone, one, many;

	if (all < 1)
		return;
	alone = median(write_protect, 1, &count);
	start(threads, 1);
	one = median(protect_shared, 1, &other);
	report("shootdown_first", one - alone, count < other ? count : other);
	measure("stolen", stolen, 1);
	finish(threads);
	if (all < 2)
		return;
	start(threads, all);
	many = median(protect_shared, 1, &count);
	finish(threads);
	report("shootdown_further", (many - one) / (all - 1), count < other ? count : other);
}

static void find_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) != 0)
		fail("sched_getaffinity");
	for (int i = 0; i < CPU_SETSIZE && cpu_count <= TARGETS_MAX; i++)
		if (CPU_ISSET(i, &set))
			cpus[cpu_count++] = i;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = permit, .sa_flags = SA_SIGINFO};

	find_cpus();
	pin(cpus[0]);
	sigaction(SIGSEGV, &action, NULL);
	pages = map_pages(POOL_PAGES);
	touch(pages, POOL_PAGES);
	measure("syscall", null_call, 1000);
	measure("zero_page", zero, 64);
	measure("copy_page", copy, 64);
	measure("write_fault", write_fault, 256);
	measure_slope("zap_page", discard, 16, 256);
	measure("mprotect_page", write_protect, 1);
	/* few pages are invalidated one by one, more than 33 by flushing everything */
	measure_slope("mprotect_invalidate", write_protect, 2, 32);
	measure_slope("mprotect_entry", write_protect, 64, 256);
	measure("set_dirty", set_dirty, 256);
	measure("segv", segv, 1);
	measure_context_switch();
	measure_shootdowns();
	return 0;
}
