/* Softmax attention of short sequences on a CPU, forward and backward, one head of one sample at a
   time.

   Compiled twice by native.py, with REAL float and REAL double.

   A vector holds LANES queries and walks over the keys; the gradients of keys and values hold LANES
   keys and walk over the queries. So nothing is summed across a vector, and the weights, which
   take most memory elsewhere, live in the first-level cache and are computed anew in the backward
   pass, from the largest score and the sum that the forward pass keeps.

   A head of a slice of the samples is a task, and tasks are dealt to OpenMP's threads, where there
   are any. How samples are cut into slices does not depend on the threads, and so neither do
   results. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../exponential.h"

#define LANES 16
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    REAL *at;
    int64_t sample, token, head; /* strides, in elements; channels lie side by side */
} Tensor;

typedef struct {
    int64_t samples, heads, queries, keys, size, slices;
    double scale;
    const uint8_t *query_mask; /* (samples, queries): which queries count; NULL for all */
    const uint8_t *key_mask;   /* (samples, keys): which keys count; NULL for all */
    const REAL *bias;          /* (heads, queries, keys), or NULL */
    Tensor q, k, v, out;
    REAL *normalisers; /* (samples, heads, 2, queries): largest score, 1 / sum; or NULL */
    Tensor d_out, dq, dk, dv;
    REAL *d_bias; /* (slices, heads, queries, keys), or NULL */
} Job;

typedef REAL Lanes __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef __typeof__((Lanes){0} > (Lanes){0}) Mask;

/* What a task needs beside the job: its head's bias both ways, padded to whole vectors, and one
   sample's rows. Void keys are rows of 0, and so are queries that nobody asks. */
typedef struct {
    int64_t wide_queries, wide_keys; /* multiples of LANES */
    int64_t counted;
    int64_t *counting;   /* (keys): those that count, in order */
    REAL *bias_by_key;   /* (keys, wide_queries) */
    REAL *bias_by_query; /* (queries, wide_keys) */
    REAL *d_bias;        /* (keys, wide_queries) */
    REAL *q, *d_out;     /* (queries, size), q times the scale */
    REAL *k, *v;         /* (keys, size) */
    REAL *inner;         /* (wide_queries): of d_out and out */
    REAL *key_counts;    /* (wide_keys): 1 where a key counts, else 0 */
    Lanes *scores;       /* (wide_queries or wide_keys): scores, weights, slopes */
} Room;

INLINE int64_t wide(int64_t n) { return (n + LANES - 1) / LANES * LANES; }
INLINE Lanes *lanes(REAL *at) { return (Lanes *)at; }
INLINE Lanes all(REAL x) { return (Lanes){0} + x; }

INLINE Lanes larger(Lanes a, Lanes b) {
    Mask first = a > b;
    return (Lanes)(((Mask)a & first) | ((Mask)b & ~first));
}

INLINE Lanes exponentials(Lanes x) {
    REAL at[LANES];
    *lanes(at) = x;
#pragma omp simd
    for (int j = 0; j < LANES; j++) at[j] = exponential(at[j]);
    return *lanes(at);
}

INLINE REAL *row_of(const Tensor *x, int64_t b, int64_t token, int64_t head) {
    return x->at + b * x->sample + token * x->token + head * x->head;
}

INLINE REAL *normalisers_of(const Job *job, int64_t b, int64_t head) {
    return job->normalisers ? job->normalisers + (b * job->heads + head) * 2 * job->queries : NULL;
}

INLINE int counts(const uint8_t *mask, int64_t n, int64_t b, int64_t i) {
    return !mask || mask[b * n + i];
}

static void lay_out_bias(const Job *job, int64_t head, Room *room) {
    const REAL *bias = job->bias + head * job->queries * job->keys;
    for (int64_t i = 0; i < job->queries; i++)
        for (int64_t j = 0; j < job->keys; j++) {
            REAL one = bias[i * job->keys + j];
            room->bias_by_key[j * room->wide_queries + i] = one;
            room->bias_by_query[i * room->wide_keys + j] = one;
        }
}

/* Rows of x (n, size) that count, times a factor; others are 0. */
INLINE void lay_out(REAL *to, const Tensor *x, const uint8_t *mask, int64_t n, int64_t b,
                    int64_t head, int64_t size, REAL factor) {
    for (int64_t i = 0; i < n; i++, to += size) {
        const REAL *row = row_of(x, b, i, head);
        if (counts(mask, n, b, i))
            for (int64_t c = 0; c < size; c++) to[c] = row[c] * factor;
        else
            memset(to, 0, size * sizeof(REAL));
    }
}

INLINE void lay_out_sample(const Job *job, int64_t b, int64_t head, int64_t size, Room *room) {
    lay_out(room->q, &job->q, job->query_mask, job->queries, b, head, size, (REAL)job->scale);
    lay_out(room->k, &job->k, job->key_mask, job->keys, b, head, size, 1);
    lay_out(room->v, &job->v, job->key_mask, job->keys, b, head, size, 1);
    room->counted = 0;
    for (int64_t j = 0; j < job->keys; j++) {
        int there = counts(job->key_mask, job->keys, b, j);
        room->key_counts[j] = there;
        if (there) room->counting[room->counted++] = j;
    }
}

/* LANES rows of (n, size) from row `from` on, turned: to[c] holds channel c of each. */
INLINE void turn_in(Lanes *to, const REAL *rows, int64_t from, int64_t n, int64_t size) {
    int64_t count = n - from < LANES ? n - from : LANES;
    for (int64_t c = 0; c < size; c++) {
        to[c] = all(0);
        for (int64_t j = 0; j < count; j++) to[c][j] = rows[(from + j) * size + c];
    }
}

/* The reverse, into rows of a tensor; 0 where a row does not count. */
INLINE void turn_out(const Tensor *x, const Lanes *from_lanes, const uint8_t *mask, int64_t from,
                     int64_t n, int64_t b, int64_t head, int64_t size) {
    int64_t count = n - from < LANES ? n - from : LANES;
    for (int64_t j = 0; j < count; j++) {
        REAL *row = row_of(x, b, from + j, head);
        int there = counts(mask, n, b, from + j);
        for (int64_t c = 0; c < size; c++) row[c] = there ? from_lanes[c][j] : 0;
    }
}

INLINE int any_counts(const uint8_t *mask, int64_t from, int64_t n, int64_t b) {
    if (!mask) return 1;
    for (int64_t i = from; i < n && i < from + LANES; i++)
        if (mask[b * n + i]) return 1;
    return 0;
}

INLINE Lanes product(const Lanes *a, const REAL *row, int64_t size, Lanes sum) {
    for (int64_t c = 0; c < size; c++) sum += a[c] * row[c];
    return sum;
}

INLINE void add(Lanes *sum, Lanes factor, const REAL *row, int64_t size) {
    for (int64_t c = 0; c < size; c++) sum[c] += factor * row[c];
}

INLINE void forward_sample(const Job *job, int64_t b, int64_t head, const int64_t size, Room *room,
                           Lanes *work) {
    Lanes *q = work, *o = work + size;
    REAL *normalisers = normalisers_of(job, b, head);
    lay_out_sample(job, b, head, size, room);
    for (int64_t from = 0; from < job->queries; from += LANES) {
        Lanes top = all(-INFINITY), sum = all(0), share;
        for (int64_t c = 0; c < size; c++) o[c] = all(0);
        if (room->counted && any_counts(job->query_mask, from, job->queries, b)) {
            turn_in(q, room->q, from, job->queries, size);
            for (int64_t at = 0; at < room->counted; at++) {
                int64_t j = room->counting[at];
                Lanes score = job->bias ? *lanes(room->bias_by_key + j * room->wide_queries + from)
                                        : all(0);
                score = product(q, room->k + j * size, size, score);
                room->scores[at] = score;
                top = larger(score, top);
            }
            for (int64_t at = 0; at < room->counted; at++) {
                const REAL *v = room->v + room->counting[at] * size;
                Lanes weight = exponentials(room->scores[at] - top);
                sum += weight;
                add(o, weight, v, size);
            }
            share = 1 / sum;
            for (int64_t c = 0; c < size; c++) o[c] *= share;
            if (normalisers)
                for (int64_t i = from; i < job->queries && i < from + LANES; i++) {
                    normalisers[i] = top[i - from];
                    normalisers[job->queries + i] = share[i - from];
                }
        }
        turn_out(&job->out, o, job->query_mask, from, job->queries, b, head, size);
    }
}

/* Gradients of the queries and of the bias. */
INLINE void backward_queries(const Job *job, int64_t b, int64_t head, const int64_t size,
                             Room *room, Lanes *work) {
    Lanes *q = work, *d_out = q + size, *dq = d_out + size;
    const REAL *normalisers = normalisers_of(job, b, head);
    for (int64_t from = 0; from < job->queries; from += LANES) {
        Lanes top = all(0), share = all(0), inner = all(0);
        for (int64_t c = 0; c < size; c++) dq[c] = all(0);
        if (room->counted && any_counts(job->query_mask, from, job->queries, b)) {
            turn_in(q, room->q, from, job->queries, size);
            turn_in(d_out, room->d_out, from, job->queries, size);
            for (int64_t i = from; i < job->queries && i < from + LANES; i++) {
                const REAL *out = row_of(&job->out, b, i, head);
                REAL total = 0;
                for (int64_t c = 0; c < size; c++) total += out[c] * room->d_out[i * size + c];
                inner[i - from] = total;
                top[i - from] = normalisers[i];
                share[i - from] = normalisers[job->queries + i];
            }
            for (int64_t at = 0; at < room->counted; at++) {
                int64_t j = room->counting[at];
                Lanes score = job->bias ? *lanes(room->bias_by_key + j * room->wide_queries + from)
                                        : all(0);
                score = product(q, room->k + j * size, size, score);
                room->scores[at] = exponentials(score - top) * share;
            }
            for (int64_t at = 0; at < room->counted; at++) {
                int64_t j = room->counting[at];
                Lanes slope = product(d_out, room->v + j * size, size, all(0)) - inner;
                room->scores[at] *= slope;
                if (job->d_bias)
                    *lanes(room->d_bias + j * room->wide_queries + from) += room->scores[at];
            }
            for (int64_t at = 0; at < room->counted; at++)
                add(dq, room->scores[at], room->k + room->counting[at] * size, size);
            for (int64_t c = 0; c < size; c++) dq[c] *= (REAL)job->scale;
        }
        *lanes(room->inner + from) = inner;
        turn_out(&job->dq, dq, job->query_mask, from, job->queries, b, head, size);
    }
}

INLINE void backward_keys(const Job *job, int64_t b, int64_t head, const int64_t size, Room *room,
                          Lanes *work) {
    Lanes *k = work, *v = k + size, *dk = v + size, *dv = dk + size;
    const REAL *normalisers = normalisers_of(job, b, head);
    for (int64_t from = 0; from < job->keys; from += LANES) {
        Lanes key_counts = *lanes(room->key_counts + from);
        for (int64_t c = 0; c < size; c++) dk[c] = dv[c] = all(0);
        if (any_counts(job->key_mask, from, job->keys, b)) {
            turn_in(k, room->k, from, job->keys, size);
            turn_in(v, room->v, from, job->keys, size);
            for (int64_t i = 0; i < job->queries; i++) {
                if (!counts(job->query_mask, job->queries, b, i)) continue;
                Lanes score = job->bias ? *lanes(room->bias_by_query + i * room->wide_keys + from)
                                        : all(0);
                /* A key that does not count may have any score, above the largest too. */
                score = (product(k, room->q + i * size, size, score) - normalisers[i]) * key_counts;
                room->scores[i] = exponentials(score) * normalisers[job->queries + i] * key_counts;
            }
            for (int64_t i = 0; i < job->queries; i++)
                if (counts(job->query_mask, job->queries, b, i))
                    add(dv, room->scores[i], room->d_out + i * size, size);
            for (int64_t i = 0; i < job->queries; i++) {
                if (!counts(job->query_mask, job->queries, b, i)) continue;
                Lanes slope = product(v, room->d_out + i * size, size, all(0)) - room->inner[i];
                add(dk, slope * room->scores[i], room->q + i * size, size);
            }
        }
        turn_out(&job->dk, dk, job->key_mask, from, job->keys, b, head, size);
        turn_out(&job->dv, dv, job->key_mask, from, job->keys, b, head, size);
    }
}

INLINE void run_samples(const Job *job, int64_t slice, int64_t head, int backward,
                        const int64_t size, Room *room, Lanes *work) {
    int64_t first = job->samples * slice / job->slices;
    int64_t end = job->samples * (slice + 1) / job->slices;
    for (int64_t b = first; b < end; b++) {
        if (!backward) {
            forward_sample(job, b, head, size, room, work);
            continue;
        }
        lay_out_sample(job, b, head, size, room);
        lay_out(room->d_out, &job->d_out, job->query_mask, job->queries, b, head, size, 1);
        backward_queries(job, b, head, size, room, work);
        backward_keys(job, b, head, size, room, work);
    }
}

static int run_task(const Job *job, int64_t slice, int64_t head, int backward) {
    Room room = {.wide_queries = wide(job->queries), .wide_keys = wide(job->keys)};
    int64_t queries = room.wide_queries, keys = room.wide_keys, size = job->size;
    int64_t table = job->bias ? job->queries * keys + job->keys * queries : 0;
    int64_t gradient = job->d_bias ? job->keys * queries : 0;
    int64_t reals = table + gradient + 2 * queries * size + 2 * keys * size + queries + keys;
    int64_t longest = queries > keys ? queries : keys, vectors = longest + 4 * size;
    char *memory = calloc(1, (vectors * LANES + reals) * sizeof(REAL) + keys * sizeof(int64_t));
    if (!memory) return 1;
    room.counting = (int64_t *)memory;
    room.scores = (Lanes *)(memory + keys * sizeof(int64_t));
    Lanes *work = room.scores + longest;
    REAL *next = (REAL *)(work + 4 * size);
    room.q = next, next += queries * size;
    room.d_out = next, next += queries * size;
    room.k = next, next += keys * size;
    room.v = next, next += keys * size;
    room.inner = next, next += queries;
    room.key_counts = next, next += keys;
    room.bias_by_key = next, next += job->bias ? job->keys * queries : 0;
    room.bias_by_query = next, next += job->bias ? job->queries * keys : 0;
    room.d_bias = next;
    if (job->bias) lay_out_bias(job, head, &room);
    /* Sizes that are known when this is compiled keep their vectors in registers. */
    switch (size) {
    case 4: { Lanes own[16]; run_samples(job, slice, head, backward, 4, &room, own); break; }
    case 8: { Lanes own[32]; run_samples(job, slice, head, backward, 8, &room, own); break; }
    case 16: { Lanes own[64]; run_samples(job, slice, head, backward, 16, &room, own); break; }
    default: run_samples(job, slice, head, backward, size, &room, work);
    }
    if (job->d_bias) {
        REAL *to = job->d_bias + (slice * job->heads + head) * job->queries * job->keys;
        for (int64_t i = 0; i < job->queries; i++)
            for (int64_t j = 0; j < job->keys; j++)
                to[i * job->keys + j] = room.d_bias[j * queries + i];
    }
    free(memory);
    return 0;
}

/* Returns 0, or 1 where there is no memory. */
int run(const Job *job, int backward, int threads) {
    int failed = 0;
    int64_t tasks = job->slices * job->heads;
    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(| : failed)
    for (int64_t task = 0; task < tasks; task++)
        failed |= run_task(job, task / job->heads, task % job->heads, backward);
    return failed;
}
