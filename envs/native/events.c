/* Numbers of signatures, and what a judge's answers to them pay. */
#include "calm.h"

#include <string.h>

/* A table of `size` places (a power of two): keys of `width` bytes, and the number + 1, 0 where a
 * place is free. envs/native/events.py has the same structure in ctypes. */
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

/* Looks up all rows; 1 if one has no number, else 0. */
int calm_number(const calm_table *t)
{
    int unknown = 0;
    for (int64_t i = 0; i < t->n; i++) {
        t->out[i] = t->numbers[place_of(t, t->rows + i * t->width)] - 1;
        unknown |= t->out[i] < 0;
    }
    return unknown;
}

/* The answers about each number and what they pay, as calm/credit.py has it for `every` and
 * `once`. envs/native/events.py has the same structure in ctypes. */
typedef struct {
    int64_t known, subgoals, once;
    int64_t unreadable, pending;      /* rows so far of which an answer was so */
    const int8_t *answers;            /* known x subgoals: 1 yes, 0 no, -1 unreadable, -2 pending */
    const float *times;               /* subgoals: how often each is to be done */
    const int8_t *how;                /* n: not 0 where the step ended the episode */
    float *progress, *final_progress; /* n x subgoals: the share that the episode has done */
    float *credit;                    /* n */
} calm_pay;

/* Looks up all rows and pays for them. 1 if any was paid something, 0 if none; NOT_PAID if there
 * is one whose number has no answers yet: then nothing is done. */
int calm_number_and_pay(const void *table, void *pay)
{
    const calm_table *t = table;
    calm_pay *p = pay;
    int any = 0;
    if (calm_number(t))
        return NOT_PAID;
    for (int64_t i = 0; i < t->n; i++)
        if (t->out[i] >= p->known)
            return NOT_PAID;
    for (int64_t i = 0; i < t->n; i++) {
        const int8_t *answers = p->answers + t->out[i] * p->subgoals;
        float *progress = p->progress + i * p->subgoals, credit = 0;
        bool unreadable = false, pending = false;
        for (int64_t g = 0; g < p->subgoals; g++) {
            unreadable |= answers[g] == -1;
            pending |= answers[g] == -2;
            if (answers[g] != 1)
                continue;
            const float times = p->times[g];
            if (!p->once || progress[g] < 1)
                credit += 1 / times;
            const float done = (float) (int) (progress[g] * times + .5f) + 1;
            progress[g] = done < times ? done / times : 1;
        }
        p->unreadable += unreadable;
        p->pending += pending;
        p->credit[i] = credit;
        any |= credit != 0;
        if (p->how[i]) {
            memcpy(p->final_progress + i * p->subgoals, progress,
                   (size_t) p->subgoals * sizeof *progress);
            memset(progress, 0, (size_t) p->subgoals * sizeof *progress);
        }
    }
    return any;
}
