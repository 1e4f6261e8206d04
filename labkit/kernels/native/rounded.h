/* Activations as whole numbers: each 32 neighbours share a scale, or a whole row does.
 *
 * There are 127 steps either side, or 16,319. For weights of 8 bits a step is a 16-bit number. For weights of 4 bits it
 * is one byte, or two: 16,319 steps are 128 * high + low, both within what a product of bytes can bear; so 15 bits of an
 * activation cost two products of 8 bits.
 *
 * 4-bit codes lie around 8, and a product wants them without a sign. What is too much of each sum depends on the
 * activations alone, so it is known when they are rounded, and the sums of a block start at less than zero by it.
 */
#ifndef LABKIT_ROUNDED_H
#define LABKIT_ROUNDED_H
#include <math.h>

#include "bytes.h"

enum { BLOCK = 32, MIDDLE = 8 };
enum { SHORTS, ONE_BYTE, TWO_BYTES };

typedef struct {
    int8_t *codes; /* [row][block][32] of 2, 1 or 1 + 1 bytes, all high bytes of a block before its low ones */
    float *scales; /* [row][block] */
    float *sums; /* [row][block]: of the rounded activations */
    int16_t *starts; /* [row][block][2 bytes][2]: less MIDDLE times the activations of every two of four neighbours */
    long blocks;
    int kind;
    float steps;
} rounded;

ALWAYS long row_bytes(const rounded *r) { return r->blocks * BLOCK * (r->kind == ONE_BYTE ? 1 : 2); }

ALWAYS rounded rounded_in(void *workspace, long rows, long in, long weight_bits, long activation_bits) {
    long blocks = (in + BLOCK - 1) / BLOCK;
    float *scales = workspace, *sums = scales + rows * blocks;
    int16_t *starts = (int16_t *)(sums + rows * blocks);
    int8_t *codes = (int8_t *)(starts + 4 * rows * blocks);
    int kind = weight_bits == 8 ? SHORTS : activation_bits == 8 ? ONE_BYTE : TWO_BYTES;
    return (rounded){codes, scales, sums, starts, blocks, kind, activation_bits == 8 ? 127 : 16319};
}

/* The bits of the largest magnitude: they order as the numbers do, NaN and infinity last. */
ALWAYS uint32_t largest(const float *x, long n) {
    uint32_t most = 0;
    for (long i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    return most;
}

ALWAYS void keep(int8_t *codes, const int32_t *q, const int kind) {
    int16_t both[BLOCK];
    for (int i = 0; i < BLOCK; i++) both[i] = (int16_t)q[i];
    if (kind == SHORTS) memcpy(codes, both, sizeof both);
    for (int i = 0; kind == ONE_BYTE && i < BLOCK; i++) codes[i] = (int8_t)both[i];
    for (int i = 0; kind == TWO_BYTES && i < BLOCK; i++) {
        int16_t high = (int16_t)((both[i] + 64) >> 7);
        codes[i] = (int8_t)high;
        codes[BLOCK + i] = (int8_t)(both[i] - 128 * high);
    }
}

ALWAYS void start(int16_t *starts, const int8_t *codes) {
    shorts two = pairs((ubytes){0} + MIDDLE, (bytes)load_bytes(codes));
    ints even = dots(two, (shorts)((ints){0} + 1)), odd = dots(two, (shorts)((ints){0} + (1 << 16)));
    starts[0] = (int16_t)-sum(floats(even));
    starts[1] = (int16_t)-sum(floats(odd));
}

ALWAYS void round_block(int8_t *codes, float *scale, float *sum, int16_t *starts, const float *x, uint32_t most,
                        float steps, const int kind) {
    float peak;
    memcpy(&peak, &most, sizeof peak);
    if (most >= 0x7f800000u) { /* a product with it is NaN, whatever the weights */
        memset(codes, 0, BLOCK * (kind == ONE_BYTE ? 1 : 2));
        memset(starts, 0, 4 * sizeof *starts);
        *scale = *sum = NAN;
        return;
    }
    float unit = peak / steps, inverse = unit > 0 ? steps / peak : 0;
    if (inverse > 3e38f) unit = inverse = 0; /* too small to be told from zero */
    int32_t q[BLOCK], total = 0;
    for (int i = 0; i < BLOCK; i++) q[i] = (int32_t)rintf(x[i] * inverse);
    for (int i = 0; i < BLOCK; i++) total += q[i];
    keep(codes, q, kind);
    if (kind != SHORTS) start(starts, codes);
    if (kind == TWO_BYTES) start(starts + 2, codes + BLOCK);
    *scale = unit;
    *sum = unit * (float)total;
}

static void round_row(const rounded *r, long row, const float *x, long in, int whole_row) {
    uint32_t most = whole_row ? largest(x, in) : 0;
    int8_t *codes = r->codes + row * row_bytes(r);
    for (long b = 0, at = row * r->blocks; b < r->blocks; b++, at++, codes += row_bytes(r) / r->blocks) {
        float padded[BLOCK] = {0}, *scale = r->scales + at, *sum = r->sums + at;
        int16_t *starts = r->starts + 4 * at;
        const float *some = x + b * BLOCK;
        if (in - b * BLOCK < BLOCK) some = memcpy(padded, some, (size_t)(in - b * BLOCK) * sizeof *some);
        if (!whole_row) most = largest(some, BLOCK);
        switch (r->kind) {
        case SHORTS: round_block(codes, scale, sum, starts, some, most, r->steps, SHORTS); break;
        case ONE_BYTE: round_block(codes, scale, sum, starts, some, most, r->steps, ONE_BYTE); break;
        default: round_block(codes, scale, sum, starts, some, most, r->steps, TWO_BYTES);
        }
    }
}

#endif
