/* The integers of `numpy.random.default_rng(seed)`, for seeds of 64 bits.
 *
 * The seed is hashed to 256 bits (numpy's SeedSequence, after O'Neill's seed_seq_fe) that start a
 * PCG64 (O'Neill 2014, XSL-RR). Each of its numbers of 64 bits is two words, the lower one first.
 */
#include "grids.h"

enum { POOL = 4, HALF = 16 };

static uint32_t hash(uint32_t value, uint32_t *constant, uint32_t factor)
{
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ value >> HALF;
}

static uint32_t mix(uint32_t a, uint32_t b)
{
    uint32_t mixed = 0xca01f9ddu * a - 0x4973f715u * b;
    return mixed ^ mixed >> HALF;
}

static void step(calm_random *r)
{
    const unsigned __int128 factor =
        (unsigned __int128) 0x2360ed051fc65da4u << 64 | 0x4385df649fccf645u;
    r->state = r->state * factor + r->increment;
}

static uint32_t word(calm_random *r)
{
    if (calm_spent(r))
        return 0;
    r->left--;
    r->has_upper = !r->has_upper;
    if (!r->has_upper)
        return r->upper;
    step(r);
    uint64_t both = (uint64_t) (r->state >> 64) ^ (uint64_t) r->state;
    unsigned turn = (unsigned) (r->state >> 122);
    both = both >> turn | both << (-turn & 63);
    r->upper = (uint32_t) (both >> 32);
    return (uint32_t) both;
}

void calm_seed(calm_random *r, uint64_t seed)
{
    uint32_t pool[POOL] = {(uint32_t) seed, (uint32_t) (seed >> 32)};
    uint32_t constant = 0x43b0d7e5u;
    for (int i = 0; i < POOL; i++)
        pool[i] = hash(pool[i], &constant, 0x931e8875u);
    for (int from = 0; from < POOL; from++)
        for (int to = 0; to < POOL; to++)
            if (from != to)
                pool[to] = mix(pool[to], hash(pool[from], &constant, 0x931e8875u));
    unsigned __int128 starts[2] = {0, 0}; /* of the state, and of what is added in every step */
    constant = 0x8b51f9ddu;
    for (int i = 0; i < 8; i++) { /* upper 64 bits first, of these the lower 32 */
        unsigned __int128 part = hash(pool[i % POOL], &constant, 0x58f38dedu);
        starts[i / 4] |= part << (i % 4 < 2 ? 64 : 0) << (i % 2 ? 32 : 0);
    }
    *r = (calm_random) {.increment = starts[1] << 1 | 1, .left = MOST_WORDS};
    step(r);
    r->state += starts[0];
    step(r);
}

/* Whether no more words are given, and all that was drawn last is worthless. */
bool calm_spent(const calm_random *r)
{
    return r->left <= 0;
}

/* From 0 on and below `size`, as Generator.integers takes it from words: by Lemire's method (2019).
 * No word is taken where there is but one such integer. */
uint32_t calm_below(calm_random *r, uint32_t size)
{
    if (size <= 1)
        return 0;
    uint64_t scaled;
    do
        scaled = (uint64_t) word(r) * size;
    while ((uint32_t) scaled < -size % size && !calm_spent(r));
    return (uint32_t) (scaled >> 32);
}

/* From 0 up to `most`, as Generator.shuffle takes it: bits are masked, and too much is rejected. */
uint32_t calm_up_to(calm_random *r, uint32_t most)
{
    uint32_t mask = most, value;
    if (!most)
        return 0;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        value = word(r) & mask;
    while (value > most);
    return value;
}

/* From `low` on and below `high`, which must be above it. */
int calm_between(calm_random *r, int low, int high)
{
    return low + (int) calm_below(r, (uint32_t) (high - low));
}
