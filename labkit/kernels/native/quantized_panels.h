/* Rows of activations times a quantized weight in panels, in whole numbers; every weight is unpacked once for some rows.
 *
 * A panel holds 16 outputs and is read from its first byte to its last: group after group, the 16 scales of a group (and
 * its 16 zeros, if the format has them), then its codes, 32 inputs after 32 inputs. Outputs lie side by side, so no sum
 * has to be gathered across a vector. 32 bytes of 4-bit codes are four inputs of eight outputs in the low halves and of
 * the other eight in the high halves: a product of bytes adds four up within an output. 32 bytes of 8-bit codes are two
 * inputs of 16 outputs: widened to 16 bits a product adds two up, exactly, whatever the signs.
 */
#ifndef LABKIT_QUANTIZED_PANELS_H
#define LABKIT_QUANTIZED_PANELS_H
#include "panels.h"
#include "rounded.h"

enum { HALF, BFLOAT, FLOAT }; /* how scales and zeros are stored */
enum { FAR = 2048 };          /* bytes that a single row asks memory for ahead: 10 to 20 % more a second */

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

/* The scales of a group, and each scale times its zero as it lies from the middle of the codes: a weight is
 * scale * (code - middle) - offset. Returns whether there are offsets. */
ALWAYS int scales_of(const layout *l, const int bits, const uint8_t *group, f8 scales[2], f8 offsets[2]) {
    sixteen(group, l->scale_type, scales, scales + 1);
    if (!l->zeros) return 0;
    sixteen(group + header_bytes(l) / 2, l->scale_type, offsets, offsets + 1);
    for (int h = 0; h < 2; h++) offsets[h] = scales[h] * (offsets[h] - (bits == 8 ? 128.0f : MIDDLE));
    return 1;
}

/* One block of 4-bit codes. With the middle taken off first, eight sums of two products never leave 16 bits. */
ALWAYS void block_of_4(const int M, const int W, ints sums[][2], const uint8_t *codes, const int8_t *x, long row,
                       const int16_t *starts, long next) {
    shorts first[ROWS][2], second[ROWS][2], ones = (shorts){0} + 1;
    for (int m = 0; m < M; m++)
        for (int w = 0; w < W; w++) first[m][w] = second[m][w] = (shorts)four(starts + m * next + 2 * w);
#pragma GCC unroll 4
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
        sums[m][0] = dots(first[m][0], ones), sums[m][1] = dots(second[m][0], ones);
        if (W == 2) {
            sums[m][0] = sums[m][0] * 128 + dots(first[m][1], ones);
            sums[m][1] = sums[m][1] * 128 + dots(second[m][1], ones);
        }
    }
}

/* One block of 8-bit codes. 32 products of at most 128 * 16,319 stay within 32 bits. */
ALWAYS void block_of_8(const int M, ints sums[][2], const uint8_t *codes, const int8_t *x, long row) {
    for (int m = 0; m < M; m++) sums[m][0] = sums[m][1] = (ints){0};
#pragma GCC unroll 4
    for (int j = 0; j < BLOCK / 2; j++) {
        shorts first = sixteen_bytes(codes + 32 * j), second = sixteen_bytes(codes + 32 * j + 16);
        for (int m = 0; m < M; m++) {
            shorts two = (shorts)four(x + m * row + 4 * j);
            sums[m][0] += dots(first, two);
            sums[m][1] += dots(second, two);
        }
    }
}

/* M rows of activations by one panel; M, kind and with them the bits of a weight are constants to the compiler. */
ALWAYS void rounded_tile(const int kind, const int M, float out[][PANEL], const layout *l, const uint8_t *panel,
                         const rounded *x, long row) {
    const int bits = kind == SHORTS ? 8 : 4, W = kind == TWO_BYTES ? 2 : 1;
    f8 total[ROWS][2], scales[2], offsets[2];
    for (int m = 0; m < M; m++) total[m][0] = total[m][1] = (f8){0};
    long blocks = blocks_in_group(l), width = row_bytes(x), next = x->blocks, left = 0;
    const int8_t *codes = x->codes + row * width;
    int moved = 0;
    for (long b = 0, at = row * next; b < next; b++, at++, left--) {
        if (left == 0) {
            moved = scales_of(l, bits, panel, scales, offsets);
            panel += header_bytes(l);
            left = blocks;
        }
        ints sums[ROWS][2];
        if (bits == 4)
            block_of_4(M, W, sums, panel, codes, width, x->starts + 4 * at, 4 * next);
        else
            block_of_8(M, sums, panel, codes, width);
        for (long line = 0; M == 1 && line < block_bytes(bits); line += 64) __builtin_prefetch(panel + line + FAR);
        panel += block_bytes(bits);
        codes += BLOCK * (kind == ONE_BYTE ? 1 : 2);
        for (int m = 0; m < M; m++)
            for (int h = 0; h < 2; h++) total[m][h] += floats(sums[m][h]) * (x->scales[at + m * next] * scales[h]);
        for (int m = 0; moved && m < M; m++)
            for (int h = 0; h < 2; h++) total[m][h] -= x->sums[at + m * next] * offsets[h];
    }
    for (int m = 0; m < M; m++) store(out[m], total[m][0]), store(out[m] + 8, total[m][1]);
}

/* As many rows at once as the registers of a small processor hold sums for. */
ALWAYS long rows_at_once(int kind) { return kind == TWO_BYTES ? 2 : 4; }

ALWAYS void rounded_rows(const int kind, long rows, float out[][PANEL], const layout *l, const uint8_t *panel,
                         const rounded *x, long row) {
    switch (rows) {
    case 1: rounded_tile(kind, 1, out, l, panel, x, row); break;
    case 2: rounded_tile(kind, 2, out, l, panel, x, row); break;
    case 3: rounded_tile(kind, kind == TWO_BYTES ? 1 : 3, out, l, panel, x, row); break;
    default: rounded_tile(kind, kind == TWO_BYTES ? 1 : 4, out, l, panel, x, row);
    }
}

/* out[m][n] = x[m] . w[n] for the panels `from` to `to`; outputs from `outs` on are padding of the last. */
static void rounded_products(float *out, long outs, const rounded *x, long rows, const layout *l,
                             const uint8_t *weight, long from, long to) {
    float sums[ROWS][PANEL];
    long most = rows_at_once(x->kind);
    for (long p = from; p < to; p++) {
        const uint8_t *panel = weight + p * panel_bytes(l);
        long wide = outs - p * PANEL < PANEL ? outs - p * PANEL : PANEL;
        for (long m = 0; m < rows; m += most) {
            long some = rows - m < most ? rows - m : most;
            switch (x->kind) {
            case SHORTS: rounded_rows(SHORTS, some, sums, l, panel, x, m); break;
            case ONE_BYTE: rounded_rows(ONE_BYTE, some, sums, l, panel, x, m); break;
            default: rounded_rows(TWO_BYTES, some, sums, l, panel, x, m);
            }
            for (long j = 0; j < some; j++)
                memcpy(out + (m + j) * outs + p * PANEL, sums[j], (size_t)wide * sizeof(float));
        }
    }
}

#endif
