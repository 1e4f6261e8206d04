/* Eight numbers at a time, by the vector extension of gcc and clang: one AVX2 register, two of NEON. */
#ifndef LABKIT_VECTORS_H
#define LABKIT_VECTORS_H
#include <stdint.h>
#include <string.h>

/* Which of how many threads runs this, where the compiler knows of threads; else the first of one. */
#ifdef _OPENMP
#include <omp.h>
#define ME omp_get_thread_num()
#define ALL omp_get_num_threads()
#else
#define ME 0
#define ALL 1
#endif

typedef float f8 __attribute__((vector_size(32)));
typedef uint32_t u8 __attribute__((vector_size(32)));

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS f8 load(const float *p) {
    f8 v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS void store(float *p, f8 v) { memcpy(p, &v, sizeof v); }

ALWAYS float sum(f8 v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }

ALWAYS float dot(const float *a, const float *b, long n) {
    f8 s0 = {0}, s1 = {0};
    long i = 0;
    for (; i + 16 <= n; i += 16) {
        s0 += load(a + i) * load(b + i);
        s1 += load(a + i + 8) * load(b + i + 8);
    }
    float s = sum(s0 + s1);
    for (; i < n; i++) s += a[i] * b[i];
    return s;
}

/* e^x to one or two units in the last place (Cephes): x = n ln 2 + r, a polynomial for e^r, n into the exponent.
 * Written out because it then becomes vectors too; a call of expf for each number would cost more than a softmax. */
ALWAYS float exp_of(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float n = __builtin_rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

#endif
