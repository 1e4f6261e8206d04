/* Attention of one new token a row over keys and values in blocks, read where they lie. See `paged_attention.py`.
 *
 * A block is [token][kv head][element], float or bfloat16. Widening a run of bfloat16 gives every second element and
 * then the others, so queries are brought into that order first and results out of it at the end.
 */
#include "panels.h"
#include <math.h>
enum { RUN = 4 * PANEL, ABREAST = 4 }; /* elements of a value whose sums stay in registers; keys together */

typedef struct {
    const char *keys, *values;
    const int64_t *tables, *lengths;
    long heads, kv_heads, head, block_size, most_blocks;
} paged;

/* Where token 0 of a block's keys or values for key-value head `g` begins, and how far it is to the next token's. */
ALWAYS const char *first_of(const paged *p, const char *blocks, int64_t block, long g, const int width) {
    return blocks + ((block * p->block_size * p->kv_heads + g) * p->head) * width;
}

ALWAYS void in_widened_order(float *to, const float *from, long head, const int width, float scale) {
    for (long i = 0; i < head; i += PANEL)
        for (long j = 0; j < PANEL; j++) to[i + j] = scale * from[i + (width == 2 ? j % 8 * 2 + j / 8 : j)];
}

/* One query and `N` keys, `step` bytes apart: one sum alone would wait for itself. */
ALWAYS void scores(const int N, const int width, float *out, const float *q, const char *key, long step, long head) {
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
ALWAYS void mix(const int N, const int width, float *out, const paged *p, const int64_t *table, long count, long g,
                const float *weights, float total, long skip) {
    f8 even[RUN / PANEL], odd[RUN / PANEL], w0, w1;
    for (int j = 0; j < N; j++) even[j] = odd[j] = (f8){0};
    for (long s = 0; s < count; s += p->block_size) {
        const char *value = first_of(p, p->values, table[s / p->block_size], g, width) + skip;
        long end = count - s < p->block_size ? count - s : p->block_size;
        for (long t = 0; t < end; t++, value += p->kv_heads * p->head * width)
            for (int j = 0; j < N; j++) {
                weights_of(value, j, width, &w0, &w1);
                even[j] += weights[s + t] * w0;
                odd[j] += weights[s + t] * w1;
            }
    }
    for (int j = 0; j < N; j++) {
        f8 a = even[j] / total, b = odd[j] / total;
        for (int i = 0; i < 8; i++) {
            out[j * PANEL + (width == 2 ? 2 * i : i)] = a[i];
            out[j * PANEL + (width == 2 ? 2 * i + 1 : i + 8)] = b[i];
        }
    }
}

/* One row, and the query heads that share keys and values `g`. */
ALWAYS void head_group(const int width, float *out, const float *q, const paged *p, long row, long g, float *scratch) {
    long group = p->heads / p->kv_heads, count = p->lengths[row], D = p->head;
    const int64_t *table = p->tables + row * p->most_blocks;
    float *turned = scratch, *weights = scratch + D;
    for (long h = g * group; h < (g + 1) * group; h++) {
        float best = -INFINITY, total = 0, *to = out + (row * p->heads + h) * D;
        in_widened_order(turned, q + (row * p->heads + h) * D, D, width, 1.0f / sqrtf((float)D));
        for (long s = 0; s < count; s += p->block_size) {
            const char *key = first_of(p, p->keys, table[s / p->block_size], g, width);
            long end = count - s < p->block_size ? count - s : p->block_size, t = 0, step = p->kv_heads * D * width;
            for (; t + ABREAST <= end; t += ABREAST)
                scores(ABREAST, width, weights + s + t, turned, key + t * step, step, D);
            for (; t < end; t++) scores(1, width, weights + s + t, turned, key + t * step, step, D);
        }
        for (long s = 0; s < count; s++) best = weights[s] > best ? weights[s] : best;
        for (long s = 0; s < count; s++) weights[s] = exp_of(weights[s] - best);
        for (long s = 0; s < count; s++) total += weights[s];
        long i = 0;
        for (; i + RUN <= D; i += RUN) mix(RUN / PANEL, width, to + i, p, table, count, g, weights, total, i * width);
        for (; i < D; i += PANEL) mix(1, width, to + i, p, table, count, g, weights, total, i * width);
    }
}

static void run(float *out, const float *q, const paged *p, float *scratch, long rows, long longest, int width, int me,
                int all) {
    scratch += me * (p->head + longest);
    for (long i = me; i < rows * p->kv_heads; i += all)
        if (width == 2)
            head_group(2, out, q, p, i / p->kv_heads, i % p->kv_heads, scratch);
        else
            head_group(4, out, q, p, i / p->kv_heads, i % p->kv_heads, scratch);
}

/* Not 0, and nothing done, if a table names a block that is not there: it would be read from anywhere. */
int labkit_paged_attention(float *out, const float *q, const void *keys, const void *values, const int64_t *tables,
                           const int64_t *lengths, float *scratch, long rows, long heads, long kv_heads, long head,
                           long blocks, long block_size, long most_blocks, long longest, int width, int threads) {
    paged p = {keys, values, tables, lengths, heads, kv_heads, head, block_size, most_blocks};
    for (long row = 0; row < rows; row++)
        for (long b = 0; b * block_size < lengths[row]; b++)
            if (tables[row * most_blocks + b] < 0 || tables[row * most_blocks + b] >= blocks) return 1;
#pragma omp parallel num_threads(threads) if (threads > 1)
    run(out, q, &p, scratch, rows, longest, width, ME, ALL);
    return 0;
}
