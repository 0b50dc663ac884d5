/* e^x of a REAL, in a form that compilers turn into vectors. */
#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x: 2^n e^r with |r| <= ln 2 / 2, e^r by its series up to r^7 (relative error 1e-7 in float). */
static inline REAL exponential(REAL x) {
    if (sizeof(REAL) == sizeof(double)) return exp(x);
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    float v = x > 88.0f ? 88.0f : (float)x;
    float n = (v * 1.44269504f + magic) - magic;
    float r = v - n * 0.693145752f;
    r -= n * 1.42860677e-6f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t bits = (int32_t)((uint32_t)((int32_t)(v < -87.0f ? 0.0f : n) + 127) << 23);
    float power;
    memcpy(&power, &bits, sizeof power);
    return v < -87.0f ? 0.0f : p * power;
}
