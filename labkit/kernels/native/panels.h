/* Rows of activations times a weight packed in panels, each weight fetched once for up to six rows.
 *
 * A panel holds 16 outputs, input after input: [panel][input][16]. So a matrix is read from its first byte to its last,
 * as memory likes it, and no sum has to be gathered across a vector. A weight is float, or bfloat16 in the order 0, 8, 1, 9, ...:
 * a bfloat16 is the upper half of a float, so a shift widens every second one and a mask the others. No instruction of its own is
 * needed, and only half the bytes come from memory.
 */
#ifndef LABKIT_PANELS_H
#define LABKIT_PANELS_H
#include "vectors.h"

enum { PANEL = 16, ROWS = 6, AHEAD = 1024 };

/* The 16 weights of one input. `width` is the bytes of a weight, known when the compiler sees it. */
ALWAYS void weights_of(const void *panel, long input, const int width, f8 *first, f8 *second) {
    if (width == 2) {
        u8 pairs;
        memcpy(&pairs, (const uint16_t *)panel + input * PANEL, sizeof pairs);
        *first = (f8)(pairs << 16);
        *second = (f8)(pairs & 0xffff0000u);
    } else {
        *first = load((const float *)panel + input * PANEL);
        *second = load((const float *)panel + input * PANEL + 8);
    }
}

/* `M` rows by one panel; `M` and `width` are constants to the compiler, so the sums stay in registers. */
ALWAYS void tile(const int M, const int width, float sums[][PANEL], const float *x, long in, const void *panel) {
    f8 first[ROWS], second[ROWS], w0, w1;
    for (int m = 0; m < M; m++) first[m] = second[m] = (f8){0};
    for (long k = 0; k < in; k++) {
        weights_of(panel, k, width, &w0, &w1);
        for (int m = 0; m < M; m++) {
            first[m] += x[m * in + k] * w0;
            second[m] += x[m * in + k] * w1;
        }
    }
    for (int m = 0; m < M; m++) store(sums[m], first[m]), store(sums[m] + 8, second[m]);
}

/* One row by one panel: four inputs at a time, because one sum alone would wait for itself. With bfloat16 a line of memory is
 * used up twice as fast as the processor expects, so it is asked for ahead: 12 % more bytes a second, in float none. */
ALWAYS void tile_of_one(const int width, float sums[][PANEL], const float *x, long in, const void *panel) {
    f8 first[4], second[4], w0, w1;
    for (int j = 0; j < 4; j++) first[j] = second[j] = (f8){0};
    long k = 0;
    for (; k + 4 <= in; k += 4) {
        const char *next = (const char *)panel + k * PANEL * width + AHEAD;
        if (width == 2) __builtin_prefetch(next), __builtin_prefetch(next + 64);
        for (int j = 0; j < 4; j++) {
            weights_of(panel, k + j, width, &w0, &w1);
            first[j] += x[k + j] * w0;
            second[j] += x[k + j] * w1;
        }
    }
    for (; k < in; k++) {
        weights_of(panel, k, width, &w0, &w1);
        first[0] += x[k] * w0;
        second[0] += x[k] * w1;
    }
    store(sums[0], (first[0] + first[1]) + (first[2] + first[3]));
    store(sums[0] + 8, (second[0] + second[1]) + (second[2] + second[3]));
}

ALWAYS void some_rows(const int width, long rows, float sums[][PANEL], const float *x, long in, const void *panel) {
    switch (rows) {
    case 1: tile_of_one(width, sums, x, in, panel); break;
    case 2: tile(2, width, sums, x, in, panel); break;
    case 3: tile(3, width, sums, x, in, panel); break;
    case 4: tile(4, width, sums, x, in, panel); break;
    case 5: tile(5, width, sums, x, in, panel); break;
    default: tile(6, width, sums, x, in, panel);
    }
}

/* out[m][n] = x[m] . w[n] for the panels `from` to `to` of `weight`; outputs from `outs` on are padding of the last. */
static void products(float *out, long outs, const float *x, long rows, long in, const void *weight, int width, long from,
                     long to) {
    float sums[ROWS][PANEL];
    for (long p = from; p < to; p++) {
        const void *panel = (const char *)weight + p * in * PANEL * width;
        long wide = outs - p * PANEL < PANEL ? outs - p * PANEL : PANEL;
        for (long m = 0; m < rows; m += ROWS) {
            long some = rows - m < ROWS ? rows - m : ROWS;
            if (width == 2)
                some_rows(2, some, sums, x + m * in, in, panel);
            else
                some_rows(4, some, sums, x + m * in, in, panel);
            for (long j = 0; j < some; j++)
                memcpy(out + (m + j) * outs + p * PANEL, sums[j], (size_t)wide * sizeof(float));
        }
    }
}

/* The part of `total` things that falls to thread `me` of `threads`. */
ALWAYS void part(long total, int me, int threads, long *from, long *to) {
    *from = total * me / threads;
    *to = total * (me + 1) / threads;
}

#endif
