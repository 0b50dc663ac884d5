/* Takes tokens of many channels to fewer and back on a CPU, forward and backward, ROWS tokens at a
   time, so that nothing between is written to memory.

   Compiled twice, with REAL float and REAL double.

   Rows lie in working space padded with zeros to whole vectors of LANES channels. A slice of the
   samples is a task, and tasks are dealt to OpenMP's threads, where there are any. How samples are
   cut into slices does not depend on the threads, and so neither do results. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define ROWS 4
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int64_t samples, tokens, wide, narrow, slices;
    double eps;
    const REAL *x;      /* (samples, tokens, wide) */
    const REAL *place;  /* (tokens, wide), added to x; narrowing alone */
    const REAL *weight; /* (narrow, wide) */
    const REAL *bias;   /* (narrow); narrowing alone */
    REAL *y;            /* (samples, tokens, narrow): narrowing's result, widening's other input */
    REAL *moments;      /* (samples, tokens, 2): mean, 1 / deviation; or NULL */
    REAL *out;          /* (samples, wide, tokens): widening's result */
    const REAL *d_out;  /* as out */
    REAL *dy;           /* as y */
    REAL *dx;           /* as x */
    REAL *d_place, *d_weight, *d_bias; /* a sum for each slice, (slices, ...) */
} Job;

typedef REAL Lanes __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* What a task needs beside the job. Rows beyond a sample's last token are 0. */
typedef struct {
    REAL *across;       /* (narrow, padded wide): the weight */
    REAL *down;         /* (wide, padded narrow): the weight, turned */
    REAL *d_across;     /* as across */
    REAL *many, *d_many; /* (ROWS, padded wide) */
    REAL *few;          /* (ROWS, padded narrow) */
    REAL *turned;       /* (LANES, padded wide): tokens of a sample whose result is turned */
} Room;

INLINE int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }
INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE Lanes at(const REAL *from) { return *(const Lanes *)from; }
INLINE void put(REAL *to, Lanes x) { *(Lanes *)to = x; }

/* ROWS rows to (columns) += rows from (n, every step) times a matrix (n, columns). */
INLINE void add_products(REAL *to, const REAL *from, int64_t step, const REAL *matrix, int64_t n,
                         int64_t columns) {
    for (int64_t c = 0; c < columns; c += LANES) {
        Lanes sums[ROWS];
        for (int r = 0; r < ROWS; r++) sums[r] = at(to + r * columns + c);
        for (int64_t i = 0; i < n; i++) {
            Lanes row = at(matrix + i * columns + c);
            for (int r = 0; r < ROWS; r++) sums[r] += from[r * step + i] * row;
        }
        for (int r = 0; r < ROWS; r++) put(to + r * columns + c, sums[r]);
    }
}

/* A matrix (n, columns) += the outer products of ROWS rows a (n, every step) and b (columns). */
INLINE void add_outer(REAL *matrix, const REAL *a, int64_t step, const REAL *b, int64_t n,
                      int64_t columns) {
    for (int64_t c = 0; c < columns; c += LANES) {
        Lanes rows[ROWS];
        for (int r = 0; r < ROWS; r++) rows[r] = at(b + r * columns + c);
        for (int64_t i = 0; i < n; i++) {
            Lanes sum = at(matrix + i * columns + c);
            for (int r = 0; r < ROWS; r++) sum += a[r * step + i] * rows[r];
            put(matrix + i * columns + c, sum);
        }
    }
}

/* Rows of the working space (ROWS, step) from n rows one after the other; others are 0. */
INLINE void take_in(REAL *to, int64_t step, const REAL *from, int64_t n, int64_t size) {
    for (int64_t r = 0; r < ROWS; r++)
        if (r < n) memcpy(to + r * step, from + r * size, size * sizeof(REAL));
        else memset(to + r * step, 0, size * sizeof(REAL));
}

INLINE void give_out(REAL *to, const REAL *from, int64_t step, int64_t n, int64_t size) {
    for (int64_t r = 0; r < n; r++) memcpy(to + r * size, from + r * step, size * sizeof(REAL));
}

/* The row (n) of x and place less its mean, over its deviation. */
INLINE void normalise(REAL *row, const REAL *x, const REAL *place, int64_t n, double eps,
                      REAL *moments) {
    REAL sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < n; c++) {
        row[c] = x[c] + place[c];
        sum += row[c];
    }
    REAL mean = sum / n;
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < n; c++) {
        row[c] -= mean;
        squares += row[c] * row[c];
    }
    REAL scale = 1 / (REAL)sqrt(squares / n + eps);
#pragma omp simd
    for (int64_t c = 0; c < n; c++) row[c] *= scale;
    if (moments) {
        moments[0] = mean;
        moments[1] = scale;
    }
}

/* From here on: the n (at most ROWS) tokens of sample b from token `from` on. */

INLINE void narrow(const Job *job, int64_t b, int64_t from, int64_t n, int64_t wide, int64_t few,
                   Room *room) {
    int64_t first = b * job->tokens + from;
    for (int64_t r = 0; r < n; r++) {
        REAL *moments = job->moments ? job->moments + 2 * (first + r) : NULL;
        normalise(room->many + r * padded(wide), job->x + (first + r) * wide,
                  job->place + (from + r) * wide, wide, job->eps, moments);
        memcpy(room->few + r * padded(few), job->bias, few * sizeof(REAL));
    }
    add_products(room->few, room->many, padded(wide), room->down, wide, padded(few));
    give_out(job->y + first * few, room->few, padded(few), n, few);
}

INLINE void narrow_back(const Job *job, int64_t slice, int64_t b, int64_t from, int64_t n,
                        int64_t wide, int64_t few, Room *room) {
    int64_t first = b * job->tokens + from;
    take_in(room->few, padded(few), job->dy + first * few, n, few);
    memset(room->d_many, 0, ROWS * padded(wide) * sizeof(REAL));
    add_products(room->d_many, room->few, padded(few), room->across, few, padded(wide));
    for (int64_t r = 0; r < ROWS; r++) {
        REAL *row = room->many + r * padded(wide), *d_row = room->d_many + r * padded(wide);
        if (r >= n) {
            memset(row, 0, wide * sizeof(REAL));
            continue;
        }
        const REAL *x = job->x + (first + r) * wide, *place = job->place + (from + r) * wide;
        REAL *dx = job->dx + (first + r) * wide;
        REAL *d_place = job->d_place + (slice * job->tokens + from + r) * wide;
        REAL mean = job->moments[2 * (first + r)], scale = job->moments[2 * (first + r) + 1];
        REAL sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
        for (int64_t c = 0; c < wide; c++) {
            row[c] = (x[c] + place[c] - mean) * scale;
            sum += d_row[c];
            along += d_row[c] * row[c];
        }
        sum /= wide;
        along /= wide;
#pragma omp simd
        for (int64_t c = 0; c < wide; c++) {
            REAL d = scale * (d_row[c] - sum - row[c] * along);
            dx[c] = d;
            d_place[c] += d;
        }
        for (int64_t j = 0; j < few; j++)
            job->d_bias[slice * few + j] += room->few[r * padded(few) + j];
    }
    add_outer(room->d_across, room->few, padded(few), room->many, few, padded(wide));
}

INLINE void widen(const Job *job, int64_t b, int64_t from, int64_t n, int64_t wide, int64_t few,
                  REAL *rows, Room *room) {
    int64_t first = b * job->tokens + from;
    take_in(rows, padded(wide), job->x + first * wide, n, wide);
    take_in(room->few, padded(few), job->y + first * few, n, few);
    add_products(rows, room->few, padded(few), room->across, few, padded(wide));
}

INLINE void widen_back(const Job *job, int64_t b, int64_t from, int64_t n, int64_t wide,
                       int64_t few, const REAL *rows, Room *room) {
    int64_t first = b * job->tokens + from;
    give_out(job->dx + first * wide, rows, padded(wide), n, wide);
    take_in(room->few, padded(few), job->y + first * few, n, few);
    add_outer(room->d_across, room->few, padded(few), rows, few, padded(wide));
    memset(room->few, 0, ROWS * padded(few) * sizeof(REAL));
    add_products(room->few, rows, padded(wide), room->down, wide, padded(few));
    give_out(job->dy + first * few, room->few, padded(few), n, few);
}

/* All of a sample, whose result has channels first: LANES tokens at a time. */
INLINE void widen_sample(const Job *job, int64_t b, int back, int64_t wide, int64_t few,
                         Room *room) {
    for (int64_t from = 0; from < job->tokens; from += LANES) {
        int64_t n = smaller(LANES, job->tokens - from), there = b * wide * job->tokens + from;
        if (back)
            for (int64_t c = 0; c < wide; c++)
                for (int64_t t = 0; t < LANES; t++)
                    room->turned[t * padded(wide) + c] =
                        t < n ? job->d_out[there + c * job->tokens + t] : 0;
        for (int64_t t = 0; t < n; t += ROWS) {
            REAL *rows = room->turned + t * padded(wide);
            if (back) widen_back(job, b, from + t, smaller(ROWS, n - t), wide, few, rows, room);
            else widen(job, b, from + t, smaller(ROWS, n - t), wide, few, rows, room);
        }
        if (!back)
            for (int64_t c = 0; c < wide; c++)
                for (int64_t t = 0; t < n; t++)
                    job->out[there + c * job->tokens + t] = room->turned[t * padded(wide) + c];
    }
}

enum { NARROW, NARROW_BACK, WIDEN, WIDEN_BACK };

INLINE void run_samples(const Job *job, int what, int64_t slice, const int64_t wide,
                        const int64_t few, Room *room) {
    int64_t first = job->samples * slice / job->slices;
    int64_t end = job->samples * (slice + 1) / job->slices;
    for (int64_t b = first; b < end; b++) {
        if (what == WIDEN || what == WIDEN_BACK) {
            widen_sample(job, b, what == WIDEN_BACK, wide, few, room);
            continue;
        }
        for (int64_t from = 0; from < job->tokens; from += ROWS) {
            int64_t n = smaller(ROWS, job->tokens - from);
            if (what == NARROW) narrow(job, b, from, n, wide, few, room);
            else narrow_back(job, slice, b, from, n, wide, few, room);
        }
    }
}

static int run_slice(const Job *job, int what, int64_t slice) {
    int64_t wide = job->wide, few = job->narrow;
    int64_t matrix = few * padded(wide), turned = wide * padded(few);
    int64_t reals = 2 * matrix + turned + (2 * ROWS + LANES) * padded(wide) + ROWS * padded(few);
    REAL *memory = calloc(reals, sizeof(REAL)), *next = memory;
    if (!memory) return 1;
    Room room;
    room.across = next, next += matrix;
    room.d_across = next, next += matrix;
    room.down = next, next += turned;
    room.many = next, next += ROWS * padded(wide);
    room.d_many = next, next += ROWS * padded(wide);
    room.few = next, next += ROWS * padded(few);
    room.turned = next;
    for (int64_t j = 0; j < few; j++)
        for (int64_t c = 0; c < wide; c++)
            room.across[j * padded(wide) + c] = room.down[c * padded(few) + j] =
                job->weight[j * wide + c];
    /* Sizes that are known when this is compiled keep their vectors in registers. */
    if (wide == 64 && few == 16) run_samples(job, what, slice, 64, 16, &room);
    else run_samples(job, what, slice, wide, few, &room);
    if (job->d_weight)
        for (int64_t j = 0; j < few; j++)
            memcpy(job->d_weight + (slice * few + j) * wide, room.d_across + j * padded(wide),
                   wide * sizeof(REAL));
    free(memory);
    return 0;
}

/* Returns 0, or 1 where there is no memory. */
int run(const Job *job, int what, int threads) {
    int failed = 0;
    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) reduction(| : failed)
    for (int64_t slice = 0; slice < job->slices; slice++) failed |= run_slice(job, what, slice);
    return failed;
}
