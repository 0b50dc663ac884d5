/* Numbers of signatures, and whether a judge's answers to them are news. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { UNKNOWN = 1, NEWS = 2 };

/* A table of `size` places (a power of two): keys of `width` bytes, and the number + 1, 0 where a
 * place is free. envs/native/sight.py has the same structure in ctypes. */
typedef struct {
    int64_t width, size, n;
    uint8_t *keys;
    int64_t *numbers;
    const uint8_t *rows; /* n signatures */
    int64_t *out;        /* their numbers, -1 where they have none */
} calm_table;

static int64_t place_of(const calm_table *t, const uint8_t *key)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a over words */
    for (int64_t i = 0; i + 8 <= t->width; i += 8) {
        uint64_t word;
        memcpy(&word, key + i, 8);
        h = (h ^ word) * 1099511628211u;
        h ^= h >> 29;
    }
    int64_t at = (int64_t) (h & (uint64_t) (t->size - 1));
    while (t->numbers[at] && memcmp(t->keys + at * t->width, key, (size_t) t->width))
        at = (at + 1) & (t->size - 1);
    return at;
}

void calm_learn(const calm_table *t, const uint8_t *keys, int64_t n, const int64_t *numbers)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = place_of(t, keys + i * t->width);
        memcpy(t->keys + at * t->width, keys + i * t->width, (size_t) t->width);
        t->numbers[at] = numbers[i] + 1;
    }
}

/* What a judge said of each number; envs/native/sight.py has the same structure in ctypes. */
typedef struct {
    int64_t known, subgoals;
    const int8_t *said;      /* known x subgoals: 1 yes, 0 no, below 0 no answer */
    const float *achieved;   /* n x subgoals: 1 where a yes is no news */
} calm_answers;

static bool news(const calm_answers *a, const calm_table *t)
{
    for (int64_t i = 0; i < t->n; i++) {
        if (t->out[i] >= a->known)
            return true;
        const int8_t *said = a->said + t->out[i] * a->subgoals;
        const float *achieved = a->achieved + i * a->subgoals;
        for (int64_t g = 0; g < a->subgoals; g++)
            if (said[g] && (said[g] < 0 || !achieved[g]))
                return true;
    }
    return false;
}

/* Looks up all rows: UNKNOWN if one has no number, NEWS unless the answers to all can be passed
 * over. */
int calm_number(const calm_table *t, const calm_answers *a)
{
    bool unknown = false;
    for (int64_t i = 0; i < t->n; i++) {
        t->out[i] = t->numbers[place_of(t, t->rows + i * t->width)] - 1;
        unknown |= t->out[i] < 0;
    }
    return unknown ? UNKNOWN | NEWS : !a || news(a, t) ? NEWS : 0;
}
