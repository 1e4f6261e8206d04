/* y = x W^T + b for a weight packed in panels: float activations, float or bfloat16 weights. See `packed_linear.py`. */
#include "panels.h"
static void one_thread(float *out, const float *x, const void *weight, const float *bias, long rows, long in, long outs,
                       int width, int me, int all) {
    long from, to;
    part((outs + PANEL - 1) / PANEL, me, all, &from, &to);
    products(out, outs, x, rows, in, weight, width, from, to);
    if (!bias) return;
    to = to * PANEL < outs ? to * PANEL : outs;
    for (long m = 0; m < rows; m++)
        for (long n = from * PANEL; n < to; n++) out[m * outs + n] += bias[n];
}

void labkit_packed_linear(float *out, const float *x, const void *weight, const float *bias, long rows, long in,
                          long outs, int width, int threads) {
#pragma omp parallel num_threads(threads) if (threads > 1)
    one_thread(out, x, weight, bias, rows, in, outs, width, ME, ALL);
}
