/* y = x W^T + b for a weight of 4 or 8 bits packed in panels. See `quantized_linear.py`. */
#include "quantized_panels.h"
typedef struct {
    float *out;
    const float *x;
    const uint8_t *panels;
    const layout *layout;
    const float *bias;
    void *workspace;
    long rows, activation_bits, whole_row;
} linear;

static void one_thread(const linear *l, int me, int all) {
    long in = l->layout->in, outs = l->layout->outs, from, to;
    rounded x = rounded_in(l->workspace, l->rows, in, l->layout->bits, l->activation_bits);
    part(l->rows, me, all, &from, &to);
    for (long m = from; m < to; m++) round_row(&x, m, l->x + m * in, in, (int)l->whole_row);
#pragma omp barrier
    part((outs + PANEL - 1) / PANEL, me, all, &from, &to);
    rounded_products(l->out, outs, &x, l->rows, l->layout, l->panels, from, to);
    if (!l->bias) return;
    to = to * PANEL < outs ? to * PANEL : outs;
    for (long m = 0; m < l->rows; m++)
        for (long n = from * PANEL; n < to; n++) l->out[m * outs + n] += l->bias[n];
}

void labkit_quantized_linear(float *out, const float *x, const uint8_t *panels, const layout *layout, const float *bias,
                             void *workspace, long rows, int activation_bits, int whole_row, int threads) {
    linear l = {out, x, panels, layout, bias, workspace, rows, activation_bits, whole_row};
#pragma omp parallel num_threads(threads) if (threads > 1)
    one_thread(&l, ME, ALL);
}
