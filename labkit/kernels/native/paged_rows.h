/* One query over the keys and values of one row, which lie in blocks anywhere and are read where they lie.
 *
 * They are float or bfloat16. Widening a run of bfloat16 gives every second element and then the others, so queries are
 * brought into that order first and results out of it at the end.
 */
#ifndef LABKIT_PAGED_ROWS_H
#define LABKIT_PAGED_ROWS_H
#include <math.h>
#include <stddef.h>

#include "panels.h"
/* Panels of a value whose sums stay in registers, keys side by side, heads side by side, keys from now to be fetched. */
enum { RUN = 4, ABREAST = 4, TOGETHER = 2, SOON = 16 };

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

/* `H` queries and `N` keys, `step` bytes apart; scores of a head are `apart` numbers from those of the one before. One sum
 * alone would wait for itself, and a key is widened once for all heads. */
ALWAYS void scores_of(const int H, const int N, const int width, float *out, long apart, const float *q, const char *key,
                      long step, long head) {
    f8 s[TOGETHER][ABREAST], w0, w1;
    for (int h = 0; h < H; h++)
        for (int j = 0; j < N; j++) s[h][j] = (f8){0};
    for (long i = 0; i < head / PANEL; i++)
        for (int j = 0; j < N; j++) {
            weights_of(key + j * step, i, width, &w0, &w1);
            for (int h = 0; h < H; h++) {
                s[h][j] += load(q + h * head + i * PANEL) * w0;
                s[h][j] += load(q + h * head + i * PANEL + 8) * w1;
            }
        }
    for (int h = 0; h < H; h++)
        for (int j = 0; j < N; j++) out[h * apart + j] = sum(s[h][j]);
}

/* What softmax has above its line, in place; gives what stands below. Eight lanes, because one sum would wait for itself. */
ALWAYS float exponentials(float *x, long count) {
    float best = -INFINITY, most[8], sums[8] = {0}, total = 0;
    long whole = count / 8 * 8;
    for (int j = 0; j < 8; j++) most[j] = -INFINITY;
    for (long s = 0; s < whole; s += 8)
        for (int j = 0; j < 8; j++) most[j] = x[s + j] > most[j] ? x[s + j] : most[j];
    for (int j = 0; j < 8; j++) best = most[j] > best ? most[j] : best;
    for (long s = whole; s < count; s++) best = x[s] > best ? x[s] : best;
    for (long s = 0; s < count; s++) x[s] = exp_of(x[s] - best);
    for (long s = 0; s < whole; s += 8)
        for (int j = 0; j < 8; j++) sums[j] += x[s + j];
    for (int j = 0; j < 8; j++) total += sums[j];
    for (long s = whole; s < count; s++) total += x[s];
    return total;
}

/* `N` panels of elements of the weighted values of a row, from byte `skip` of each value on, for `H` heads. */
ALWAYS void mix(const int H, const int N, const int width, float *out, const blocks *b, const int64_t *table, long count,
                long g, const float *weights, long apart, const float *total, long skip) {
    f8 even[TOGETHER][RUN], odd[TOGETHER][RUN], w0, w1;
    for (int h = 0; h < H; h++)
        for (int j = 0; j < N; j++) even[h][j] = odd[h][j] = (f8){0};
    for (long s = 0; s < count; s += b->block_size) {
        const char *value = first_of(b, b->values, table[s / b->block_size], g, width) + skip;
        long end = count - s < b->block_size ? count - s : b->block_size;
        for (long t = 0; t < end; t++, value += b->token * width)
            for (int j = 0; j < N; j++) {
                weights_of(value, j, width, &w0, &w1);
                for (int h = 0; h < H; h++) {
                    even[h][j] += weights[h * apart + s + t] * w0;
                    odd[h][j] += weights[h * apart + s + t] * w1;
                }
            }
    }
    for (int h = 0; h < H; h++)
        for (int j = 0; j < N; j++) {
            f8 a = even[h][j] / total[h], c = odd[h][j] / total[h];
            float *to = out + h * b->head + j * PANEL;
            for (int i = 0; i < 8; i++) {
                to[width == 2 ? 2 * i : i] = a[i];
                to[width == 2 ? 2 * i + 1 : i + 8] = c[i];
            }
        }
}

ALWAYS void fetch(const char *from, long bytes) {
    for (long line = 0; line < bytes; line += 64) __builtin_prefetch(from + line);
}

/* Asks memory for the values of some keys, and for keys to come: blocks lie anywhere, so the processor does not guess. */
ALWAYS void fetch_ahead(const blocks *b, const char *key, const char *value, const char *next, long t, long end,
                        const int width) {
    long step = b->token * width, bytes = b->head * width;
    for (long n = t; n < t + ABREAST; n++) {
        long later = n + SOON;
        fetch(value + n * step, bytes);
        if (later < end)
            fetch(key + later * step, bytes);
        else if (next && later >= b->block_size && later < 2 * b->block_size)
            fetch(next + (later - b->block_size) * step, bytes);
    }
}

/* softmax(q k / sqrt(head)) v over the first `count` tokens of a row, for `H` heads side by side that share them.
 * `scratch` has room for H * (head + count) numbers; `cold`: nobody has read these keys and values just now. */
ALWAYS void attend(const int H, const int width, float *out, const float *q, const blocks *b, const int64_t *table,
                   long count, long g, float *scratch, int cold) {
    long D = b->head, step = b->token * width, i = 0;
    float *turned = scratch, *weights = scratch + H * D, total[TOGETHER];
    in_widened_order(turned, q, H * D, width, 1.0f / sqrtf((float)D));
    for (long s = 0; s < count; s += b->block_size) {
        long n = s / b->block_size, end = count - s < b->block_size ? count - s : b->block_size, t = 0;
        const char *key = first_of(b, b->keys, table[n], g, width), *value = first_of(b, b->values, table[n], g, width);
        const char *next = s + end < count ? first_of(b, b->keys, table[n + 1], g, width) : NULL;
        for (; t + ABREAST <= end; t += ABREAST) {
            if (cold) fetch_ahead(b, key, value, next, t, end, width);
            scores_of(H, ABREAST, width, weights + s + t, count, turned, key + t * step, step, D);
        }
        for (; t < end; t++) scores_of(H, 1, width, weights + s + t, count, turned, key + t * step, step, D);
    }
    for (int h = 0; h < H; h++) total[h] = exponentials(weights + h * count, count);
    for (; i + RUN / H * PANEL <= D; i += RUN / H * PANEL)
        mix(H, RUN / H, width, out + i, b, table, count, g, weights, count, total, i * width);
    for (; i < D; i += PANEL) mix(H, 1, width, out + i, b, table, count, g, weights, count, total, i * width);
}

/* The same for all heads of a group. */
ALWAYS void attend_group(const int width, float *out, const float *q, const blocks *b, const int64_t *table, long count,
                         long g, long group, float *scratch) {
    long h = 0;
    for (; h + TOGETHER <= group; h += TOGETHER)
        attend(TOGETHER, width, out + h * b->head, q + h * b->head, b, table, count, g, scratch, h == 0);
    for (; h < group; h++)
        attend(1, width, out + h * b->head, q + h * b->head, b, table, count, g, scratch, h == 0);
}

/* Not 0 if a row's first blocks are not all there: they would be read from anywhere. */
ALWAYS int absent(const int64_t *table, long count, long block_size, long most_blocks, long all) {
    if (count > most_blocks * block_size) return 1;
    for (long n = 0; n * block_size < count; n++)
        if (table[n] < 0 || table[n] >= all) return 1;
    return 0;
}

#endif
