/* The first convolution over a map of glyphs, as sums of table rows; see glyph_conv.py. */

#include <stdint.h>

/* Numbers the glyphs that occur. number (n_glyphs) is -1 where a glyph has none and is left so.
   Returns how many there are, or -1 if one lies beyond n_glyphs. */
int64_t number_glyphs(const int16_t *glyphs, int64_t n, int32_t n_glyphs, int32_t *number,
                      int16_t *numbered, int64_t *found)
{
    int64_t count = 0, bad = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t glyph = glyphs[i];
        if (glyph < 0 || glyph >= n_glyphs) {
            bad = 1;
            break;
        }
        if (number[glyph] < 0) {
            number[glyph] = (int32_t) count;
            found[count++] = glyph;
        }
        numbered[i] = (int16_t) number[glyph];
    }
    for (int64_t i = 0; i < count; i++)
        number[found[i]] = -1;
    return bad ? -1 : count;
}

#define INLINE static inline __attribute__((always_inline))
#define BLOCK 16 /* channels taken at a time: one register of AVX-512, two of AVX2 */

typedef float Block __attribute__((vector_size(4 * BLOCK), aligned(4), may_alias));
typedef int32_t Mask __attribute__((vector_size(4 * BLOCK), aligned(4), may_alias));

INLINE Block *block(float *at) { return (Block *) at; }
INLINE const Block *seen(const float *at) { return (const Block *) at; }
INLINE Block where(Mask mask, Block values) { return (Block) ((Mask) values & mask); }

/* Offsets in a table (glyphs, 9, channels) of the rows for the 3x3 window around (y, x) of a map,
   without those beyond the map; returns how many. */
INLINE int window(const int16_t *map, int64_t h, int64_t w, int64_t channels, int64_t y, int64_t x,
                  int64_t *at)
{
    int count = 0;
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 3; j++) {
            int64_t row = y + i - 1, column = x + j - 1;
            if (row >= 0 && row < h && column >= 0 && column < w)
                at[count++] = ((int64_t) map[row * w + column] * 9 + i * 3 + j) * channels;
        }
    return count;
}

/* ids (n, h, w), table (glyphs, 9, channels), bias (channels) -> out (n, rows, columns, channels),
   where a window of 3x3 ids around every stride-th cell is summed, and what is below 0 cut off.
   Channels are a multiple of BLOCK. */
void glyph_conv_forward(const int16_t *ids, int64_t n, int64_t h, int64_t w, int64_t stride,
                        int64_t channels, const float *restrict table, const float *restrict bias,
                        float *restrict out)
{
    int64_t at[9];
    for (int64_t b = 0; b < n; b++, ids += h * w)
        for (int64_t y = 0; y < h; y += stride)
            for (int64_t x = 0; x < w; x += stride, out += channels) {
                int count = window(ids, h, w, channels, y, x, at);
                for (int64_t c = 0; c < channels; c += BLOCK) {
                    Block sum = *seen(bias + c);
                    for (int k = 0; k < count; k++)
                        sum += *seen(table + at[k] + c);
                    *block(out + c) = where(~(sum <= 0), sum); /* NaN stays NaN */
                }
            }
}

/* Gradients, added to table and bias. */
void glyph_conv_backward(const int16_t *ids, int64_t n, int64_t h, int64_t w, int64_t stride,
                         int64_t channels, const float *restrict out, const float *restrict grad,
                         float *restrict table, float *restrict bias)
{
    int64_t at[9];
    for (int64_t b = 0; b < n; b++, ids += h * w)
        for (int64_t y = 0; y < h; y += stride)
            for (int64_t x = 0; x < w; x += stride, out += channels, grad += channels) {
                int count = window(ids, h, w, channels, y, x, at);
                for (int64_t c = 0; c < channels; c += BLOCK) {
                    Block up = where(~(*seen(out + c) <= 0), *seen(grad + c));
                    *block(bias + c) += up;
                    for (int k = 0; k < count; k++)
                        *block(table + at[k] + c) += up;
                }
            }
}
