/* Bandwidth of a working set by pattern: what `ceilings()` is held against. After McCalpin's STREAM (1995), with reads
 * that do not write and with every size a cache may hold. Not a benchmark of its own: best of many, no statistics.
 *
 *   stream BYTES THREADS SECONDS  ->  one JSON object of B/s by pattern
 *
 * Each thread has its own part of the working set, as in `bandwidth.py`; bytes are counted once for each array read or
 * written. C11 and POSIX clocks; OpenMP where the compiler has it, otherwise one thread.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { READ, COPY, TRIAD, UPDATE, PATTERNS };
static const char *const NAME[PATTERNS] = {"read", "copy", "triad", "update"};
static const size_t ARRAYS[PATTERNS] = {1, 2, 3, 1};
static const size_t BYTES_PER_ELEMENT[PATTERNS] = {4, 8, 12, 8};

/* As many sums at a time as hide the latency of an addition; the result is kept so that the loop is. */
enum { LANES = 64, MIN_SAMPLES = 10 };
static volatile float sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void read_pass(const float *restrict a, size_t n) {
    float sum[LANES] = {0};
    for (size_t i = 0; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) sum[j] += a[i + j];
    float total = 0;
    for (size_t j = 0; j < LANES; j++) total += sum[j];
    sink = total;
}

static void copy_pass(float *restrict a, const float *restrict b, size_t n) {
    for (size_t i = 0; i < n; i++) a[i] = b[i];
}

static void triad_pass(float *restrict a, const float *restrict b, const float *restrict c, size_t n) {
    for (size_t i = 0; i < n; i++) a[i] = b[i] + 3.0f * c[i];
}

static void update_pass(float *a, size_t n) {
    for (size_t i = 0; i < n; i++) a[i] = -a[i];
}

static void pass(int pattern, float *part, size_t n) {
    switch (pattern) {
    case READ: read_pass(part, n); break;
    case COPY: copy_pass(part, part + n, n); break;
    case TRIAD: triad_pass(part, part + n, part + 2 * n, n); break;
    default: update_pass(part, n);
    }
}

/* Seconds of one pass of all threads, the best that was seen within `seconds`. */
static double best_pass(int pattern, float *data, size_t n, int threads, double seconds) {
    double best = 1e30;
    size_t passes = 1, samples = 0;
    for (double end = now() + seconds; now() < end || samples < MIN_SAMPLES;) {
        double start = now();
#pragma omp parallel num_threads(threads)
        {
#ifdef _OPENMP
            size_t me = (size_t)omp_get_thread_num();
#else
            size_t me = 0;
#endif
            for (size_t p = 0; p < passes; p++) {
                pass(pattern, data + me * n * ARRAYS[pattern], n);
                __asm__ volatile("" ::: "memory"); /* or the compiler makes one pass of many */
            }
        }
        double taken = now() - start;
        if (taken < 1e-3) { /* too short beside the start of the threads */
            passes *= 2;
            continue;
        }
        samples++;
        if (taken / (double)passes < best) best = taken / (double)passes;
    }
    return best;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: stream BYTES THREADS SECONDS\n"), 2;
    size_t elements = strtoull(argv[1], NULL, 10) / sizeof(float);
    int threads = atoi(argv[2]);
#ifndef _OPENMP
    threads = 1;
#endif
    void *memory = NULL;
    if (threads < 1 || elements == 0 || posix_memalign(&memory, 4096, elements * sizeof(float)))
        return fprintf(stderr, "stream: cannot hold %zu floats for %d threads\n", elements, threads), 1;
    float *data = memory;
    for (size_t i = 0; i < elements; i++) data[i] = 1.0f;
    printf("{\"threads\": %d", threads);
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        size_t n = elements / (size_t)threads / ARRAYS[pattern] / 16 * 16; /* whole cache lines */
        double taken = best_pass(pattern, data, n, threads, atof(argv[3]));
        double bytes = (double)(n * (size_t)threads * BYTES_PER_ELEMENT[pattern]);
        printf(", \"%s\": %.6g", NAME[pattern], bytes / taken);
    }
    printf("}\n");
    free(memory);
    return 0;
}
