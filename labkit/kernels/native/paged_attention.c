/* Attention of one new token a row over keys and values in blocks [token][kv head][element]. See `paged_attention.py`. */
#include "paged_rows.h"

typedef struct {
    blocks kept;
    const int64_t *tables, *lengths;
    long rows, heads, kv_heads, most_blocks, longest;
} paged;

/* The query heads that share keys and values, pair by pair of a row and a key-value head. */
ALWAYS void pairs_of(const int width, float *out, const float *q, const paged *p, float *scratch, int me, int all) {
    long group = p->heads / p->kv_heads, D = p->kept.head;
    for (long i = me; i < p->rows * p->kv_heads; i += all) {
        long row = i / p->kv_heads, g = i % p->kv_heads, first = (row * p->heads + g * group) * D;
        attend_group(width, out + first, q + first, &p->kept, p->tables + row * p->most_blocks, p->lengths[row], g,
                     group, scratch);
    }
}

static void run(float *out, const float *q, const paged *p, float *scratch, int width, int me, int all) {
    scratch += me * TOGETHER * (p->kept.head + p->longest);
    if (width == 2)
        pairs_of(2, out, q, p, scratch, me, all);
    else
        pairs_of(4, out, q, p, scratch, me, all);
}

/* Not 0, and nothing done, if a table names a block that is not there. */
int labkit_paged_attention(float *out, const float *q, const void *keys, const void *values, const int64_t *tables,
                           const int64_t *lengths, float *scratch, long rows, long heads, long kv_heads, long head,
                           long count, long block_size, long most_blocks, long longest, int width, int threads) {
    blocks kept = {keys, values, block_size * kv_heads * head, head, kv_heads * head, block_size, head};
    paged p = {kept, tables, lengths, rows, heads, kv_heads, most_blocks, longest};
    for (long row = 0; row < rows; row++)
        if (absent(tables + row * most_blocks, lengths[row], block_size, most_blocks, count)) return 1;
#pragma omp parallel num_threads(threads) if (threads > 1)
    run(out, q, &p, scratch, width, ME, ALL);
    return 0;
}
