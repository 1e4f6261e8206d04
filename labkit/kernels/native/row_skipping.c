/* y += x W^T over the active inputs alone, for a weight with one row an input. See `row_skipping.py`. */
#include "panels.h"
enum { ABREAST = 4 };

/* `N` inputs into one row of sums: each sum is fetched and stored once for all of them, not once for each. */
ALWAYS void inputs(const int N, const int width, float *y, const float *x, const int64_t *active, const char *weight,
                   long row_bytes, long from, long to) {
    const char *w[ABREAST];
    f8 factor[ABREAST], w0, w1;
    for (int j = 0; j < N; j++) {
        w[j] = weight + active[j] * row_bytes;
        factor[j] = (f8){0} + x[active[j]];
    }
    for (long p = from; p < to; p++) {
        f8 first = load(y + p * PANEL), second = load(y + p * PANEL + 8);
        for (int j = 0; j < N; j++) {
            weights_of(w[j], p, width, &w0, &w1);
            first += factor[j] * w0;
            second += factor[j] * w1;
        }
        store(y + p * PANEL, first), store(y + p * PANEL + 8, second);
    }
}

/* Weights of four inputs stay in a near cache while every row of activations takes them. */
ALWAYS void one_thread(const int width, float *y, const float *x, const int64_t *active, const char *weight, long rows,
                       long in, long count, long panels, int me, int all) {
    long from, to, row_bytes = panels * PANEL * width;
    part(panels, me, all, &from, &to);
    for (long k = 0; k < count; k += ABREAST)
        for (long m = 0; m < rows; m++) {
            float *sums = y + m * panels * PANEL;
            if (count - k >= ABREAST)
                inputs(ABREAST, width, sums, x + m * in, active + k, weight, row_bytes, from, to);
            else
                for (long j = k; j < count; j++)
                    inputs(1, width, sums, x + m * in, active + j, weight, row_bytes, from, to);
        }
}

static void run(float *y, const float *x, const int64_t *active, const void *weight, long rows, long in, long count,
                long panels, int width, int me, int all) {
    if (width == 2)
        one_thread(2, y, x, active, weight, rows, in, count, panels, me, all);
    else
        one_thread(4, y, x, active, weight, rows, in, count, panels, me, all);
}

/* Not 0, and nothing done, if an active input is not there: it would be read from anywhere. */
int labkit_row_skipping(float *y, const float *x, const int64_t *active, const void *weight, long rows, long in,
                        long count, long panels, int width, int threads) {
    for (long k = 0; k < count; k++)
        if (active[k] < 0 || active[k] >= in) return 1;
#pragma omp parallel num_threads(threads) if (threads > 1)
    run(y, x, active, weight, rows, in, count, panels, width, ME, ALL);
    return 0;
}
