/* Activations as whole numbers: each 32 neighbours share a scale, or a whole row does.
 *
 * In one byte, 127 steps either side. In two, 16,319 steps: the number is 128 * high + low, and both bytes stay within
 * what a product of bytes can bear; so 15 bits of an activation cost two products of 8 bits.
 */
#ifndef LABKIT_ROUNDED_H
#define LABKIT_ROUNDED_H
#include <math.h>

#include "bytes.h"

enum { BLOCK = 32 };

typedef struct {
    int8_t *codes; /* [row][block][width][32], high bytes before low ones */
    float *scales; /* [row][block] */
    float *sums;   /* [row][block]: of the rounded activations */
    long blocks, width;
} rounded;

ALWAYS rounded rounded_in(void *workspace, long rows, long blocks, long width) {
    float *scales = workspace, *sums = scales + rows * blocks;
    return (rounded){(int8_t *)(sums + rows * blocks), scales, sums, blocks, width};
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

ALWAYS void round_block(int8_t *codes, float *scale, float *sum, const float *x, uint32_t most, const int width) {
    float steps = width == 1 ? 127.0f : 16319.0f, peak;
    memcpy(&peak, &most, sizeof peak);
    if (most >= 0x7f800000u) { /* a product with it is NaN, whatever the weights */
        memset(codes, 0, (size_t)(BLOCK * width));
        *scale = *sum = NAN;
        return;
    }
    float unit = peak / steps;
    float inverse = unit > 0 ? steps / peak : 0;
    if (inverse > 3e38f) unit = inverse = 0; /* too small to be told from zero */
    int total = 0;
    for (int i = 0; i < BLOCK; i++) {
        int q = (int)rintf(x[i] * inverse), high = (q + 64) >> 7;
        total += q;
        codes[i] = (int8_t)(width == 1 ? q : high);
        if (width == 2) codes[BLOCK + i] = (int8_t)(q - 128 * high);
    }
    *scale = unit;
    *sum = unit * (float)total;
}

static void round_row(const rounded *r, long row, const float *x, long in, int whole_row) {
    uint32_t most = whole_row ? largest(x, in) : 0;
    for (long b = 0; b < r->blocks; b++) {
        float padded[BLOCK] = {0};
        const float *some = x + b * BLOCK;
        if (in - b * BLOCK < BLOCK) some = memcpy(padded, some, (size_t)(in - b * BLOCK) * sizeof *some);
        long at = row * r->blocks + b;
        int8_t *codes = r->codes + at * BLOCK * r->width;
        if (!whole_row) most = largest(some, BLOCK);
        if (r->width == 1)
            round_block(codes, r->scales + at, r->sums + at, some, most, 1);
        else
            round_block(codes, r->scales + at, r->sums + at, some, most, 2);
    }
}

#endif
