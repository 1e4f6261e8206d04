/* One query over the keys and values of one row, which lie in blocks anywhere and are read where they lie.
 *
 * They are float or bfloat16. Widening a run of bfloat16 gives every second element and then the others, so queries are
 * brought into that order first and results out of it at the end.
 */
#ifndef LABKIT_PAGED_ROWS_H
#define LABKIT_PAGED_ROWS_H
#include <math.h>

#include "panels.h"
enum { RUN = 4 * PANEL, ABREAST = 4 }; /* elements of a value whose sums stay in registers; keys together */

typedef struct {
    const char *keys, *values; /* of one layer */
    long block, group, token; /* elements from one block, one key-value head and one token to the next */
    long block_size, head;
} blocks;

/* Where token 0 of a block's keys or values for key-value head `g` begins. */
ALWAYS const char *first_of(const blocks *b, const char *kept, int64_t block, long g, const int width) {
    return kept + (block * b->block + g * b->group) * width;
}

ALWAYS void in_widened_order(float *to, const float *from, long head, const int width, float scale) {
    for (long i = 0; i < head; i += PANEL)
        for (long j = 0; j < PANEL; j++) to[i + j] = scale * from[i + (width == 2 ? j % 8 * 2 + j / 8 : j)];
}

/* One query and `N` keys, `step` bytes apart: one sum alone would wait for itself. */
ALWAYS void scores_of(const int N, const int width, float *out, const float *q, const char *key, long step, long head) {
    f8 s[ABREAST], w0, w1;
    for (int j = 0; j < N; j++) s[j] = (f8){0};
    for (long i = 0; i < head / PANEL; i++) {
        f8 q0 = load(q + i * PANEL), q1 = load(q + i * PANEL + 8);
        for (int j = 0; j < N; j++) {
            weights_of(key + j * step, i, width, &w0, &w1);
            s[j] += q0 * w0;
            s[j] += q1 * w1;
        }
    }
    for (int j = 0; j < N; j++) out[j] = sum(s[j]);
}

/* `N` panels of elements of the weighted values of a row, from byte `skip` of each value on. */
ALWAYS void mix(const int N, const int width, float *out, const blocks *b, const int64_t *table, long count, long g,
                const float *weights, float total, long skip) {
    f8 even[RUN / PANEL], odd[RUN / PANEL], w0, w1;
    for (int j = 0; j < N; j++) even[j] = odd[j] = (f8){0};
    for (long s = 0; s < count; s += b->block_size) {
        const char *value = first_of(b, b->values, table[s / b->block_size], g, width) + skip;
        long end = count - s < b->block_size ? count - s : b->block_size;
        for (long t = 0; t < end; t++, value += b->token * width)
            for (int j = 0; j < N; j++) {
                weights_of(value, j, width, &w0, &w1);
                even[j] += weights[s + t] * w0;
                odd[j] += weights[s + t] * w1;
            }
    }
    for (int j = 0; j < N; j++) {
        f8 a = even[j] / total, c = odd[j] / total;
        for (int i = 0; i < 8; i++) {
            out[j * PANEL + (width == 2 ? 2 * i : i)] = a[i];
            out[j * PANEL + (width == 2 ? 2 * i + 1 : i + 8)] = c[i];
        }
    }
}

/* softmax(q k / sqrt(head)) v over the first `count` tokens of a row; `scratch` has room for head + count numbers. */
ALWAYS void attend(const int width, float *out, const float *q, const blocks *b, const int64_t *table, long count, long g,
                   float *scratch) {
    long D = b->head, step = b->token * width;
    float *turned = scratch, *weights = scratch + D, best = -INFINITY, total = 0;
    in_widened_order(turned, q, D, width, 1.0f / sqrtf((float)D));
    for (long s = 0; s < count; s += b->block_size) {
        const char *key = first_of(b, b->keys, table[s / b->block_size], g, width);
        long end = count - s < b->block_size ? count - s : b->block_size, t = 0;
        for (; t + ABREAST <= end; t += ABREAST)
            scores_of(ABREAST, width, weights + s + t, turned, key + t * step, step, D);
        for (; t < end; t++) scores_of(1, width, weights + s + t, turned, key + t * step, step, D);
    }
    for (long s = 0; s < count; s++) best = weights[s] > best ? weights[s] : best;
    for (long s = 0; s < count; s++) weights[s] = exp_of(weights[s] - best);
    for (long s = 0; s < count; s++) total += weights[s];
    long i = 0;
    for (; i + RUN <= D; i += RUN) mix(RUN / PANEL, width, out + i, b, table, count, g, weights, total, i * width);
    for (; i < D; i += PANEL) mix(1, width, out + i, b, table, count, g, weights, total, i * width);
}

/* Not 0 if a row's first blocks are not all there: they would be read from anywhere. */
ALWAYS int absent(const int64_t *table, long count, long block_size, long most_blocks, long all) {
    if (count > most_blocks * block_size) return 1;
    for (long n = 0; n * block_size < count; n++)
        if (table[n] < 0 || table[n] >= all) return 1;
    return 0;
}

#endif
