/* Transformer blocks for a few tokens, one after another: norm, queries keys and values, rotation, cache, attention, MLP.
 *
 * What torch does in some thirty operators a block, in one call for all; a block has five phases, and between two of them the
 * threads wait for each other. What is small (the norms, rounding) every thread does for itself, so as not to wait.
 * `decode_blocks.py` says what is computed and holds the reference.
 */
#include "paged_rows.h"
#include "quantized_panels.h"
typedef struct {
    const float *attention_norm;
    const void *qkv;
    const float *qkv_bias, *q_norm, *k_norm;
    const void *o;
    const float *o_bias, *mlp_norm;
    const void *gate_up, *down;
} weights;

enum { TENSORS = sizeof(weights) / sizeof(void *), NUMBERS = 5 };

typedef struct { /* of the matrices of a block, where they are quantized */
    layout qkv, o, gate_up, down;
} layouts;

typedef struct {
    /* sizes */
    long blocks, batch, seq, hidden, heads, kv_heads, head, inner, threads;
    long width;                              /* bytes of an element of a matrix that is not quantized */
    long activation_bits, whole_row;         /* how activations are rounded where they are */
    long cache_layer, cache_block, cache_head, cache_slot; /* elements from one of these to the next in the cache */
    long cache_width, cache_blocks;          /* bytes of an element of it, and blocks there are */
    long block_size, most_blocks;            /* slots of a block, and columns of a table */
    long keys;                               /* slots that may be seen */
    long rounding;                           /* elements of the workspace that rounding takes a thread */
    float eps;
    /* read */
    const char *memory;   /* of all tensors; where each begins is the first of its five numbers, -1 for none */
    const int64_t *table; /* [block][TENSORS][NUMBERS] */
    const layouts *layouts; /* NULL where matrices are not quantized */
    const float *final_norm; /* gain of a norm after the last block, or NULL */
    const float *x, *cos, *sin;
    const long *positions;
    const int64_t *tables; /* [batch][most_blocks]: where the tokens of a row lie; NULL if each row is one block */
    /* written: the caches from the first of these layers on */
    char *key_cache, *value_cache;
    float *out, *workspace;
} step;

static void rms_norm(float *out, const float *x, const float *gain, long n, float eps) {
    float scale = 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
    for (long i = 0; i < n; i++) out[i] = gain[i] * (x[i] * scale);
}

static void rotate(float *x, const float *cos, const float *sin, long head) {
    for (long i = 0, half = head / 2; i < half; i++) {
        float a = x[i], b = x[i + half];
        x[i] = a * cos[i] - b * sin[i];
        x[i + half] = b * cos[i] + a * sin[i];
    }
}

/* Keys or values of one token, in the dtype of the cache: bfloat16 by rounding to the nearest, to even between two. */
static void remember(char *to, const float *from, long head, int width) {
    if (width == 4) memcpy(to, from, (size_t)head * sizeof *from);
    for (long i = 0; width == 2 && i < head; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        uint16_t half = (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
        if ((bits & 0x7fffffffu) > 0x7f800000u) half = 0x7fc0; /* NaN stays one */
        memcpy(to + 2 * i, &half, sizeof half);
    }
}

/* The blocks of the row of token `t`: from its table, or else one of its own. */
ALWAYS const int64_t *table_of(const step *b, long t, int64_t *own) {
    *own = t / b->seq;
    return b->tables ? b->tables + *own * b->most_blocks : own;
}

/* The heads that share keys and values `g`: turn and keep the new keys of all tokens, then let the queries look. */
static void head_group(const step *b, const weights *w, long layer, float *qkv, float *attended, long g, float *scratch) {
    long group = b->heads / b->kv_heads, width = (b->heads + 2 * b->kv_heads) * b->head, D = b->head;
    long cache = layer * b->cache_layer * b->cache_width;
    int64_t own;
    blocks kept = {b->key_cache + cache, b->value_cache + cache, b->cache_block, b->cache_head, b->cache_slot,
                   b->block_size, D};
    for (long t = 0; t < b->batch * b->seq; t++) {
        float *row = qkv + t * width, *k = row + (b->heads + g) * D, *v = k + b->kv_heads * D;
        long position = b->positions[t];
        if (w->k_norm) rms_norm(k, k, w->k_norm, D, b->eps);
        rotate(k, b->cos + t * D / 2, b->sin + t * D / 2, D);
        if (position < 0) continue; /* padding is not kept */
        int64_t block = table_of(b, t, &own)[position / b->block_size];
        long slot = block * b->cache_block + g * b->cache_head + position % b->block_size * b->cache_slot;
        remember(b->key_cache + cache + slot * b->cache_width, k, D, (int)b->cache_width);
        remember(b->value_cache + cache + slot * b->cache_width, v, D, (int)b->cache_width);
    }
    for (long t = 0; t < b->batch * b->seq; t++) {
        const int64_t *table = table_of(b, t, &own);
        long seen = b->positions[t] < 0 ? 1 : b->positions[t] + 1;
        float *queries = qkv + t * width + g * group * D, *out = attended + (t * b->heads + g * group) * D;
        for (float *q = queries; q < queries + group * D; q += D) {
            if (w->q_norm) rms_norm(q, q, w->q_norm, D, b->eps);
            rotate(q, b->cos + t * D / 2, b->sin + t * D / 2, D);
        }
        if (b->cache_width == 2)
            attend_group(2, out, queries, &kept, table, seen, g, group, scratch);
        else
            attend_group(4, out, queries, &kept, table, seen, g, group, scratch);
    }
}

/* What a product reads: activations, rounded as well where the matrices are quantized. */
typedef struct {
    const float *x;
    rounded rounded;
    long rows, in;
} operand;

static operand ready(const step *b, const float *x, long in, const layout *l, void *scratch) {
    operand found = {x, {0}, b->batch * b->seq, in};
    if (!l) return found;
    found.rounded = rounded_in(scratch, found.rows, in, l->bits, b->activation_bits);
    for (long t = 0; t < found.rows; t++) round_row(&found.rounded, t, x + t * in, in, (int)b->whole_row);
    return found;
}

/* The outputs of the panels `from` to `to` after the first `skip` ones of `weight`. */
static void multiply(const step *b, float *out, long outs, const operand *o, const void *weight, const layout *l,
                     long skip, long from, long to) {
    const char *first = weight;
    if (l)
        rounded_products(out, outs, &o->rounded, o->rows, l, (const uint8_t *)first + skip * panel_bytes(l), from, to);
    else
        products(out, outs, o->x, o->rows, o->in, first + skip * PANEL * o->in * b->width, (int)b->width, from, to);
}

/* out = x + y for the outputs of some panels. */
static void add(float *out, const float *x, const float *y, long from, long to) {
    for (long n = from * PANEL; n < to * PANEL; n++) out[n] = x[n] + y[n];
}

/* Reads the stream from `x`, leaves it in `b->out`, which may be the same. */
static void one_block(const step *b, const weights *w, long layer, const float *x, int me, int all) {
    long tokens = b->batch * b->seq, H = b->hidden, I = b->inner, q_size = b->heads * b->head, from, to;
    long width = (b->heads + 2 * b->kv_heads) * b->head, own = tokens * H + TOGETHER * (b->head + b->keys) + b->rounding;
    const layouts *l = b->layouts ? b->layouts + layer : NULL;
    float *qkv = b->workspace, *attended = qkv + tokens * width, *product = attended + tokens * q_size;
    float *stream = product + tokens * H, *gate = stream + tokens * H, *up = gate + tokens * I;
    float *normed = up + tokens * I + me * own, *scores = normed + tokens * H;
    float *scratch = scores + TOGETHER * (b->head + b->keys);
    operand o;

    for (long t = 0; t < tokens; t++) rms_norm(normed + t * H, x + t * H, w->attention_norm, H, b->eps);
    o = ready(b, normed, H, l ? &l->qkv : NULL, scratch);
    part(width / PANEL, me, all, &from, &to);
    multiply(b, qkv, width, &o, w->qkv, l ? &l->qkv : NULL, 0, from, to);
    for (long t = 0; w->qkv_bias && t < tokens; t++) add(qkv + t * width, qkv + t * width, w->qkv_bias, from, to);
#pragma omp barrier
    for (long g = me; g < b->kv_heads; g += all) head_group(b, w, layer, qkv, attended, g, scores);
#pragma omp barrier
    o = ready(b, attended, q_size, l ? &l->o : NULL, scratch);
    part(H / PANEL, me, all, &from, &to);
    multiply(b, product, H, &o, w->o, l ? &l->o : NULL, 0, from, to);
    for (long t = 0; t < tokens; t++) {
        add(stream + t * H, x + t * H, product + t * H, from, to);
        if (w->o_bias) add(stream + t * H, stream + t * H, w->o_bias, from, to);
    }
#pragma omp barrier
    for (long t = 0; t < tokens; t++) rms_norm(normed + t * H, stream + t * H, w->mlp_norm, H, b->eps);
    o = ready(b, normed, H, l ? &l->gate_up : NULL, scratch);
    part(I / PANEL, me, all, &from, &to);
    multiply(b, gate, I, &o, w->gate_up, l ? &l->gate_up : NULL, 0, from, to);
    multiply(b, up, I, &o, w->gate_up, l ? &l->gate_up : NULL, I / PANEL, from, to);
    for (long t = 0; t < tokens; t++)
        for (long n = t * I + from * PANEL; n < t * I + to * PANEL; n++)
            gate[n] = gate[n] / (1.0f + exp_of(-gate[n])) * up[n];
#pragma omp barrier
    o = ready(b, gate, I, l ? &l->down : NULL, scratch);
    part(H / PANEL, me, all, &from, &to);
    multiply(b, product, H, &o, w->down, l ? &l->down : NULL, 0, from, to);
    for (long t = 0; t < tokens; t++) add(b->out + t * H, stream + t * H, product + t * H, from, to);
}

static weights weights_of_block(const step *b, long layer) {
    const void *found[TENSORS];
    for (int i = 0; i < TENSORS; i++) {
        int64_t start = b->table[(layer * TENSORS + i) * NUMBERS];
        found[i] = start < 0 ? NULL : b->memory + start;
    }
    weights w;
    memcpy(&w, found, sizeof w);
    return w;
}

static void one_thread(const step *b, int me, int all) {
    for (long layer = 0; layer < b->blocks; layer++) {
        weights w = weights_of_block(b, layer);
        one_block(b, &w, layer, layer ? b->out : b->x, me, all);
#pragma omp barrier
    }
    long from, to;
    part(b->batch * b->seq, me, all, &from, &to);
    for (long t = from; b->final_norm && t < to; t++)
        rms_norm(b->out + t * b->hidden, b->out + t * b->hidden, b->final_norm, b->hidden, b->eps);
}

/* Not 0, and nothing done, if a table names a block that is not there. */
int labkit_decode_blocks(const step *b) {
    int64_t own;
    for (long t = 0; t < b->batch * b->seq; t++)
        if (absent(table_of(b, t, &own), b->positions[t] + 1, b->block_size, b->most_blocks, b->cache_blocks)) return 1;
#pragma omp parallel num_threads(b->threads) if (b->threads > 1)
    one_thread(b, ME, ALL);
    return 0;
}
