/* Thirty-two small whole numbers at a time, and their dot products: AVX2 has two instructions for them, any other
 * processor gets the same from the vector extension. Byte order is little-endian. */
#ifndef LABKIT_BYTES_H
#define LABKIT_BYTES_H
#include "vectors.h"
#ifdef __AVX2__
#include <immintrin.h>
#endif

typedef int8_t bytes __attribute__((vector_size(32)));
typedef uint8_t ubytes __attribute__((vector_size(32)));
typedef int16_t shorts __attribute__((vector_size(32)));
typedef uint16_t ushorts __attribute__((vector_size(32)));
typedef int32_t ints __attribute__((vector_size(32)));

ALWAYS ubytes load_bytes(const void *p) {
    ubytes v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The same four bytes eight times. */
ALWAYS bytes four(const void *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return (bytes)(ints){v, v, v, v, v, v, v, v};
}

/* w0 x0 + w1 x1 of each two neighbours. No sum may leave 16 bits. */
ALWAYS shorts pairs(ubytes w, bytes x) {
#ifdef __AVX2__
    return (shorts)_mm256_maddubs_epi16((__m256i)w, (__m256i)x);
#else
    shorts even = (shorts)((ushorts)w & 255) * ((shorts)((ushorts)x << 8) >> 8);
    shorts odd = (shorts)((ushorts)w >> 8) * ((shorts)x >> 8);
    return even + odd;
#endif
}

/* a0 b0 + a1 b1 of each two neighbours, in 32 bits. */
ALWAYS ints dots(shorts a, shorts b) {
#ifdef __AVX2__
    return (ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#else
    ints a0 = (ints)((u8)a << 16) >> 16, b0 = (ints)((u8)b << 16) >> 16;
    return a0 * b0 + ((ints)a >> 16) * ((ints)b >> 16);
#endif
}

/* Sixteen signed bytes as 16-bit numbers. */
ALWAYS shorts sixteen_bytes(const void *p) {
#ifdef __AVX2__
    return (shorts)_mm256_cvtepi8_epi16(_mm_loadu_si128(p)); /* gcc makes five instructions of the line below */
#else
    typedef int8_t half __attribute__((vector_size(16)));
    half v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, shorts);
#endif
}

ALWAYS f8 floats(ints v) { return __builtin_convertvector(v, f8); }

/* Eight IEEE half-precision numbers. Shifted into place their exponent is short by 112, zeros and subnormals included. */
ALWAYS f8 from_half(const void *p) {
    typedef uint16_t halves __attribute__((vector_size(16)));
    halves h;
    memcpy(&h, p, sizeof h);
#ifdef __F16C__
    return (f8)_mm256_cvtph_ps((__m128i)h);
#else
    u8 wide = __builtin_convertvector(h, u8);
    f8 positive = (f8)((wide & 0x7fffu) << 13) * 0x1p112f;
    return (f8)((u8)positive | (wide & 0x8000u) << 16);
#endif
}

ALWAYS f8 from_bfloat(const void *p) {
    typedef uint16_t halves __attribute__((vector_size(16)));
    halves h;
    memcpy(&h, p, sizeof h);
    return (f8)(__builtin_convertvector(h, u8) << 16);
}

#endif
