/* Rows of activations times a quantized weight in panels, in whole numbers; every weight is unpacked once for some rows.
 *
 * A panel holds 16 outputs and is read from its first byte to its last: group after group, the 16 scales of a group (and
 * its 16 zeros, if the format has them), then its codes, 32 inputs after 32 inputs. A vector of 32 bytes is four inputs of
 * eight outputs, so one product of bytes adds up within an output and no sum has to be gathered across a vector. Of 4-bit
 * codes the low halves of a vector are the first eight outputs and the high halves the others: both meet the same inputs.
 */
#ifndef LABKIT_QUANTIZED_PANELS_H
#define LABKIT_QUANTIZED_PANELS_H
#include "panels.h"
#include "rounded.h"

enum { HALF, BFLOAT, FLOAT }; /* how scales and zeros are stored */

typedef struct { /* `PanelLayout` of `quantized_panels.py`, field by field */
    int64_t outs, in, bits, group_size, zeros, scale_type;
} layout;

ALWAYS long groups_of(const layout *l) { return l->group_size ? l->in / l->group_size : 1; }
ALWAYS long blocks_in_group(const layout *l) { return ((l->group_size ? l->group_size : l->in) + BLOCK - 1) / BLOCK; }
ALWAYS long header_bytes(const layout *l) { return PANEL * (l->scale_type == FLOAT ? 4 : 2) * (l->zeros ? 2 : 1); }
ALWAYS long block_bytes(const int bits) { return BLOCK * PANEL * bits / 8; }
ALWAYS long panel_bytes(const layout *l) {
    return groups_of(l) * (header_bytes(l) + blocks_in_group(l) * block_bytes((int)l->bits));
}

ALWAYS void sixteen(const uint8_t *p, long type, f8 *first, f8 *second) {
    if (type == HALF)
        *first = from_half(p), *second = from_half(p + 16);
    else if (type == BFLOAT)
        *first = from_bfloat(p), *second = from_bfloat(p + 16);
    else
        *first = load((const float *)p), *second = load((const float *)p + 8);
}

/* The scales of a group, and what each scale times zero is: a weight is scale * code - offset. */
ALWAYS void scales_of(const layout *l, const int bits, const uint8_t *group, f8 scales[2], f8 offsets[2]) {
    sixteen(group, l->scale_type, scales, scales + 1);
    float middle = bits == 4 ? 8.0f : 0.0f, shift = bits == 4 ? 0.0f : 128.0f; /* 8-bit codes lie here less 128 */
    if (l->zeros) {
        sixteen(group + header_bytes(l) / 2, l->scale_type, offsets, offsets + 1);
        for (int h = 0; h < 2; h++) offsets[h] = scales[h] * (offsets[h] - shift);
    } else {
        for (int h = 0; h < 2; h++) offsets[h] = scales[h] * middle;
    }
}

/* One block of 4-bit codes. Eight sums of two products of at most 15 * 127 stay within 16 bits. */
ALWAYS void block_of_4(const int M, const int W, ints sums[][2], const uint8_t *codes, const int8_t *x, long row) {
    shorts first[4][2], second[4][2];
    for (int m = 0; m < M; m++)
        for (int w = 0; w < W; w++) first[m][w] = second[m][w] = (shorts){0};
    for (int j = 0; j < BLOCK / 4; j++) {
        ubytes both = load_bytes(codes + 32 * j), low = both & 15, high = (ubytes)((ushorts)both >> 4) & 15;
        for (int m = 0; m < M; m++)
            for (int w = 0; w < W; w++) {
                bytes some = four(x + m * row + BLOCK * w + 4 * j);
                first[m][w] += pairs(low, some);
                second[m][w] += pairs(high, some);
            }
    }
    for (int m = 0; m < M; m++) {
        sums[m][0] = widened(first[m][0]), sums[m][1] = widened(second[m][0]);
        if (W == 2) {
            sums[m][0] = sums[m][0] * 128 + widened(first[m][1]);
            sums[m][1] = sums[m][1] * 128 + widened(second[m][1]);
        }
    }
}

/* One block of 8-bit codes. Two products of at most 128 * 127 stay within 16 bits. */
ALWAYS void block_of_8(const int M, const int W, ints sums[][2], const uint8_t *codes, const int8_t *x, long row) {
    ints found[4][2][2];
    for (int m = 0; m < M; m++)
        for (int h = 0; h < 2; h++) found[m][h][0] = found[m][h][1] = (ints){0};
    for (int j = 0; j < BLOCK / 4; j++)
        for (int h = 0; h < 2; h++) {
            bytes code = (bytes)load_bytes(codes + 64 * j + 32 * h);
            ubytes size = magnitude(code);
            for (int m = 0; m < M; m++)
                for (int w = 0; w < W; w++)
                    found[m][h][w] += widened(pairs(size, turned(four(x + m * row + BLOCK * w + 4 * j), code)));
        }
    for (int m = 0; m < M; m++)
        for (int h = 0; h < 2; h++) sums[m][h] = W == 2 ? found[m][h][0] * 128 + found[m][h][1] : found[m][h][0];
}

/* M rows of activations, W bytes each, by one panel; M, W and bits are constants to the compiler. */
ALWAYS void rounded_tile(const int bits, const int M, const int W, float out[][PANEL], const layout *l,
                         const uint8_t *panel, const rounded *x, long row) {
    f8 total[4][2], scales[2], offsets[2];
    for (int m = 0; m < M; m++) total[m][0] = total[m][1] = (f8){0};
    long blocks = blocks_in_group(l), width = x->blocks * BLOCK * W, at = row * x->blocks;
    const int8_t *codes = x->codes + row * width;
    for (long g = 0, groups = groups_of(l); g < groups; g++) {
        scales_of(l, bits, panel, scales, offsets);
        panel += header_bytes(l);
        for (long b = 0; b < blocks; b++, at++, codes += BLOCK * W, panel += block_bytes(bits)) {
            ints sums[4][2];
            if (bits == 4)
                block_of_4(M, W, sums, panel, codes, width);
            else
                block_of_8(M, W, sums, panel, codes, width);
            for (int m = 0; m < M; m++)
                for (int h = 0; h < 2; h++) {
                    total[m][h] += floats(sums[m][h]) * (x->scales[at + m * x->blocks] * scales[h]);
                    total[m][h] -= x->sums[at + m * x->blocks] * offsets[h];
                }
        }
    }
    for (int m = 0; m < M; m++) store(out[m], total[m][0]), store(out[m] + 8, total[m][1]);
}

/* Up to four rows of one byte, two of two bytes: as many as the registers of a small processor hold sums for. */
ALWAYS void rounded_rows(const int bits, long rows, float out[][PANEL], const layout *l, const uint8_t *panel,
                         const rounded *x, long row) {
    if (x->width == 2) {
        if (rows == 1)
            rounded_tile(bits, 1, 2, out, l, panel, x, row);
        else
            rounded_tile(bits, 2, 2, out, l, panel, x, row);
        return;
    }
    switch (rows) {
    case 1: rounded_tile(bits, 1, 1, out, l, panel, x, row); break;
    case 2: rounded_tile(bits, 2, 1, out, l, panel, x, row); break;
    case 3: rounded_tile(bits, 3, 1, out, l, panel, x, row); break;
    default: rounded_tile(bits, 4, 1, out, l, panel, x, row);
    }
}

/* out[m][n] = x[m] . w[n] for the panels `from` to `to`; outputs from `outs` on are padding of the last. */
static void rounded_products(float *out, long outs, const rounded *x, long rows, const layout *l,
                             const uint8_t *weight, long from, long to) {
    float sums[4][PANEL];
    long most = x->width == 2 ? 2 : 4;
    for (long p = from; p < to; p++) {
        const uint8_t *panel = weight + p * panel_bytes(l);
        long wide = outs - p * PANEL < PANEL ? outs - p * PANEL : PANEL;
        for (long m = 0; m < rows; m += most) {
            long some = rows - m < most ? rows - m : most;
            if (l->bits == 4)
                rounded_rows(4, some, sums, l, panel, x, m);
            else
                rounded_rows(8, some, sums, l, panel, x, m);
            for (long j = 0; j < some; j++)
                memcpy(out + (m + j) * outs + p * PANEL, sums[j], (size_t)wide * sizeof(float));
        }
    }
}

#endif
