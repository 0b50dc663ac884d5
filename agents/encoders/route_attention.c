/* Scan route attention on a CPU, forward and backward: the results of the four routes of each cell
   and channel are added up, and let through by how much they differ (route_attention.py has the
   formula).

   Compiled twice, with REAL float and REAL double.

   Numbers of one cell lie side by side, and every loop over them is one that compilers turn into
   vectors. A slice of the cells is a task, and tasks are dealt to OpenMP's threads, where there are
   any. How cells are cut into slices does not depend on the threads, and so neither do results. */
#include <math.h>
#include <stdint.h>

#include "exponential.h"

#define ROUTES 4
#define INLINE static inline __attribute__((always_inline))

typedef struct {
    int64_t cells, width, slices; /* width: heads times channels of one */
    int64_t sigmoid;              /* else ReLU */
    double threshold;
    const REAL *y;      /* (ROUTES, cells, width): what each route has found */
    const REAL *parts;  /* (cells, width): the cell's own features */
    const REAL *own;    /* (ROUTES, width): their weight in each route, less what all share */
    const REAL *common; /* (width): their weight in what all share */
    REAL *out;          /* (cells, width) */
    const REAL *d_out;  /* as out */
    REAL *dy, *d_parts; /* as y and parts */
    REAL *d_own, *d_common; /* a sum for each slice, (slices, ...) */
} Job;

/* What the gate of one cell and channel is made of. */
typedef struct {
    REAL routes[ROUTES];
    REAL total;  /* mean of the routes, with what they share */
    REAL mean, squares, std;
    REAL root;   /* of the mean square, where the floor depends on it */
    REAL below;  /* what std is divided by */
    REAL gate;
} Parts;

INLINE REAL smaller(REAL a, REAL b) { return a < b ? a : b; }

INLINE Parts take_apart(const Job *job, int64_t at, int64_t i, int64_t sigmoid) {
    int64_t route = job->cells * job->width;
    REAL p = job->parts[at], squares = 0, sum = 0;
    Parts x;
    for (int k = 0; k < ROUTES; k++) {
        x.routes[k] = job->y[k * route + at] + job->own[k * job->width + i] * p;
        sum += x.routes[k];
    }
    x.mean = sum / ROUTES;
    for (int k = 0; k < ROUTES; k++) {
        REAL off = x.routes[k] - x.mean;
        squares += off * off;
    }
    x.squares = squares;
    x.std = (REAL)sqrt(squares / (ROUTES - 1));
    x.total = x.mean + job->common[i] * p;
    REAL least = smaller(smaller(x.routes[0], x.routes[1]), smaller(x.routes[2], x.routes[3]));
    REAL floor = (REAL)1e-5;
    if (sigmoid) {
        x.root = (REAL)sqrt(squares / ROUTES + x.total * x.total + (REAL)1e-12);
        floor += (REAL)1e-2 * x.root;
    }
    x.below = x.mean - least + floor;
    REAL over = x.std / x.below - (REAL)job->threshold;
    x.gate = sigmoid ? 1 / (1 + exponential(-over)) : over > 0 ? over : 0;
    return x;
}

INLINE void forward(const Job *job, int64_t cell, int64_t width, int64_t sigmoid) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        Parts x = take_apart(job, cell * width + i, i, sigmoid);
        job->out[cell * width + i] = ROUTES * x.total * x.gate;
    }
}

/* The share of the gradient of the least that one of two gets: half where they are equal. */
INLINE REAL share(REAL mine, REAL other) {
    return mine < other ? 1 : mine == other ? (REAL)0.5 : 0;
}

INLINE void backward(const Job *job, int64_t cell, int64_t width, int64_t sigmoid, REAL *d_own,
                     REAL *d_common) {
    int64_t route = job->cells * width;
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        int64_t at = cell * width + i;
        Parts x = take_apart(job, at, i, sigmoid);
        REAL p = job->parts[at], d = ROUTES * job->d_out[at];
        REAL d_total = x.gate * d, d_over = x.total * d;
        d_over *= sigmoid ? x.gate * (1 - x.gate) : x.gate > 0 ? 1 : 0;
        REAL d_below = -d_over * x.std / (x.below * x.below);
        /* The root's slope at 0 is infinite: where all routes agree the gate is given none. */
        REAL slope = 1 / (2 * (ROUTES - 1) * x.below * (x.std > 0 ? x.std : 1));
        REAL d_squares = x.std > 0 ? d_over * slope : 0;
        if (sigmoid) {
            REAL d_mean_square = d_below * (REAL)0.5e-2 / x.root;
            d_squares += d_mean_square / ROUTES;
            d_total += 2 * x.total * d_mean_square;
        }
        REAL d_each = (d_total + d_below) / ROUTES;
        REAL two = smaller(x.routes[0], x.routes[1]), three = smaller(two, x.routes[2]);
        REAL last = share(x.routes[3], three), third = share(x.routes[2], two) * (1 - last);
        REAL rest = 1 - last - third, first = share(x.routes[0], x.routes[1]) * rest;
        REAL shares[ROUTES] = {first, rest - first, third, last};
        REAL d_parts = job->common[i] * d_total;
        for (int k = 0; k < ROUTES; k++) {
            REAL one = d_each + 2 * d_squares * (x.routes[k] - x.mean) - shares[k] * d_below;
            job->dy[k * route + at] = one;
            d_own[k * width + i] += one * p;
            d_parts += job->own[k * width + i] * one;
        }
        d_common[i] += d_total * p;
        job->d_parts[at] = d_parts;
    }
}

INLINE void run_cells(const Job *job, int back, int64_t slice, int64_t width, int64_t sigmoid) {
    int64_t end = job->cells * (slice + 1) / job->slices;
    for (int64_t cell = job->cells * slice / job->slices; cell < end; cell++)
        if (back)
            backward(job, cell, width, sigmoid, job->d_own + slice * ROUTES * width,
                     job->d_common + slice * width);
        else forward(job, cell, width, sigmoid);
}

int run(const Job *job, int back, int threads) {
    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int64_t slice = 0; slice < job->slices; slice++) {
        /* What is known when this is compiled is not asked for each number. */
        if (job->width == 16 && job->sigmoid) run_cells(job, back, slice, 16, 1);
        else if (job->width == 16) run_cells(job, back, slice, 16, 0);
        else run_cells(job, back, slice, job->width, job->sigmoid);
    }
    return 0;
}
