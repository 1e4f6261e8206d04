/* y = x W^T for a 2:4 weight in panels, multiplied as it is packed. See `sparse_24_linear.py`. */
#include "panels.h"
enum { BLOCK = 8, GROUP = 4 };

/* For each of 8 outputs the one of four inputs that the lowest two bits of its word name. `inputs` holds them twice.
 * gcc shuffles by a variable in one AVX2 instruction; elsewhere the four are blended bit by bit, which is slower. */
ALWAYS f8 picked(f8 inputs, u8 words) {
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX2__)
    return __builtin_shuffle(inputs, words); /* one instruction: of the index it heeds three bits, the third is moot */
#else
    u8 odd = 0u - (words & 1u), upper = 0u - (words >> 1 & 1u), x[GROUP];
    for (int j = 0; j < GROUP; j++) {
        f8 all = (f8){0} + inputs[j];
        memcpy(&x[j], &all, sizeof all);
    }
    u8 bits = (((x[0] & ~odd) | (x[1] & odd)) & ~upper) | (((x[2] & ~odd) | (x[3] & odd)) & upper);
    f8 result;
    memcpy(&result, &bits, sizeof result);
    return result;
#endif
}

/* One row by one panel. First and second values have sums of their own, so that neither waits for the other. */
ALWAYS void sparse_tile(const int width, float *out, const float *x, const char *values, const uint32_t *places,
                        long blocks) {
    f8 first[2] = {{0}, {0}}, second[2] = {{0}, {0}}, w0, w1;
    for (long b = 0; b < blocks; b++, places += PANEL) {
        u8 upper, lower;
        memcpy(&lower, places, sizeof lower);
        memcpy(&upper, places + 8, sizeof upper);
        for (int g = 0; g < BLOCK; g++, x += GROUP) {
            f8 inputs = {x[0], x[1], x[2], x[3], x[0], x[1], x[2], x[3]};
            if (width == 2) __builtin_prefetch(values + AHEAD);
            for (int j = 0; j < 2; j++, values += PANEL * width) {
                weights_of(values, 0, width, &w0, &w1);
                first[j] += w0 * picked(inputs, lower);
                second[j] += w1 * picked(inputs, upper);
                lower >>= 2, upper >>= 2;
            }
        }
    }
    store(out, first[0] + first[1]);
    store(out + 8, second[0] + second[1]);
}

static void one_thread(float *y, const float *x, const void *values, const uint32_t *places, long rows, long blocks,
                       long panels, int width, int me, int all) {
    long from, to, in = blocks * BLOCK * GROUP;
    part(panels, me, all, &from, &to);
    for (long p = from; p < to; p++) {
        const char *panel = (const char *)values + p * (in / 2) * PANEL * width;
        for (long m = 0; m < rows; m++) {
            float *out = y + (m * panels + p) * PANEL;
            if (width == 2)
                sparse_tile(2, out, x + m * in, panel, places + p * blocks * PANEL, blocks);
            else
                sparse_tile(4, out, x + m * in, panel, places + p * blocks * PANEL, blocks);
        }
    }
}

void labkit_sparse_24(float *y, const float *x, const void *values, const void *places, long rows, long blocks,
                      long panels, int width, int threads) {
#pragma omp parallel num_threads(threads) if (threads > 1)
    one_thread(y, x, values, places, rows, blocks, panels, width, ME, ALL);
}
