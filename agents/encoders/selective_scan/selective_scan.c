/* The selective scan on a CPU: forward and backward, one sample and a few groups at a time.

   Compiled twice by native.py, with REAL float and REAL double.

   The state of LANES channels stays in the first-level cache while time runs. What a span of SPAN
   steps reads is first laid side by side; so neither the order in which a route visits the cells
   nor the layout of the tensors costs more than a copy of what is read anyway. The state is kept
   at the start of each span, and the backward pass runs each span again, from the last to the
   first.

   Channels are dealt into tiles of LANES: several whole groups where groups are narrow, a part of
   one group where they are wide. The tiles of one group make a unit; a unit of one sample is a
   task, and tasks are dealt to OpenMP's threads, where there are any. No two tasks write to the
   same place, so results do not depend on the number of threads. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../exponential.h"

#define LANES 16
#define SPAN 16
#define EACH_LANE _Pragma("omp simd") for (int j = 0; j < LANES; j++)

typedef REAL lanes[LANES];
typedef REAL Vector __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

typedef struct {
    REAL *at;
    int64_t sample, cell, head, route, inner; /* strides, in elements; A's cells are channels */
} Tensor;

typedef struct {
    int64_t samples, cells, heads, routes, size, state;
    const int64_t *order; /* (heads, routes, cells), or NULL: cell t at step t */
    Tensor u, delta, A, B, C, y;
    REAL *starts; /* (samples, tiles, spans, state, LANES): given and kept, or NULL */
    Tensor dy, du, d_delta, dA, dB, dC;
} Job;

/* How a job is cut. */
typedef struct {
    int64_t per_tile; /* groups in a tile, if groups are narrow; else 1 */
    int64_t tiles_of; /* tiles of one group, if groups are wide; else 1 */
    int64_t units, tiles, spans;
} Cut;

/* One tile: `pieces` groups from `group` on, `width` channels of each from `channel` on. */
typedef struct {
    int64_t group, pieces, channel, width;
} Tile;

static Cut cut_of(const Job *job) {
    Cut cut;
    int64_t groups = job->heads * job->routes;
    cut.per_tile = job->size < LANES ? LANES / job->size : 1;
    cut.tiles_of = (job->size + LANES - 1) / LANES;
    cut.units = (groups + cut.per_tile - 1) / cut.per_tile;
    cut.tiles = cut.units * cut.tiles_of;
    cut.spans = (job->cells + SPAN - 1) / SPAN;
    return cut;
}

static Tile tile_of(const Job *job, const Cut *cut, int64_t unit, int64_t part) {
    int64_t groups = job->heads * job->routes, left;
    Tile tile = {unit * cut->per_tile, cut->per_tile, part * LANES, job->size};
    left = groups - tile.group;
    if (tile.pieces > left) tile.pieces = left;
    if (job->size >= LANES) {
        left = job->size - tile.channel;
        tile.width = left < LANES ? left : LANES;
    }
    return tile;
}

static inline REAL *place(const Tensor *x, const Job *job, int64_t b, int64_t group, int64_t step) {
    int64_t cell = job->order ? job->order[group * job->cells + step] : step;
    return x->at + b * x->sample + cell * x->cell + group / job->routes * x->head +
           group % job->routes * x->route;
}

static inline void copy_in(REAL *to, const REAL *from, int64_t count, int64_t stride) {
    if (stride == 1 && count == LANES) memcpy(to, from, sizeof(lanes));
    else if (stride == 1 && count == 4) memcpy(to, from, 4 * sizeof(REAL));
    else for (int64_t k = 0; k < count; k++) to[k] = from[k * stride];
}

/* Lay what a tile reads of x at steps from..from + n side by side. Lanes without a channel get 0. */
static void read_steps(lanes *to, const Tensor *x, const Job *job, const Tile *tile, int64_t b,
                       int64_t from, int64_t n) {
    for (int64_t t = 0; t < n; t++) {
        if (tile->pieces * tile->width < LANES) memset(to[t], 0, sizeof(lanes));
        for (int64_t p = 0; p < tile->pieces; p++)
            copy_in(to[t] + p * tile->width,
                    place(x, job, b, tile->group + p, from + t) + tile->channel * x->inner,
                    tile->width, x->inner);
    }
}

static void write_steps(const Tensor *x, lanes *from_lanes, const Job *job, const Tile *tile,
                        int64_t b, int64_t from, int64_t n) {
    for (int64_t t = 0; t < n; t++)
        for (int64_t p = 0; p < tile->pieces; p++) {
            REAL *to = place(x, job, b, tile->group + p, from + t) + tile->channel * x->inner;
            const REAL *row = from_lanes[t] + p * tile->width;
            if (x->inner == 1 && tile->width == LANES) memcpy(to, row, sizeof(lanes));
            else if (x->inner == 1 && tile->width == 4) memcpy(to, row, 4 * sizeof(REAL));
            else for (int64_t k = 0; k < tile->width; k++) to[k * x->inner] = row[k];
        }
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define MIX __builtin_shufflevector
#endif
#endif

#ifdef MIX
/* Whether a tile's gates can be moved four of each of its four groups at a time. */
static inline int by_fours(const Job *job, const Tensor *x, const Tile *tile) {
    return tile->width == 4 && tile->pieces == 4 && job->state % 4 == 0 && x->inner == 1;
}

/* Four gates of four groups, to[gate][4 group + lane], of rows[4 group + gate]. */
static inline void spread_fours(lanes *to, Vector x) {
    *(Vector *)to[0] = MIX(x, x, 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    *(Vector *)to[1] = MIX(x, x, 1, 1, 1, 1, 5, 5, 5, 5, 9, 9, 9, 9, 13, 13, 13, 13);
    *(Vector *)to[2] = MIX(x, x, 2, 2, 2, 2, 6, 6, 6, 6, 10, 10, 10, 10, 14, 14, 14, 14);
    *(Vector *)to[3] = MIX(x, x, 3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15);
}

/* Sums of neighbours: of the pairs of a, and after them of the pairs of b. */
static inline Vector pairs(Vector a, Vector b) {
    return MIX(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30) +
           MIX(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

/* The reverse: sums over four lanes, [4 group + gate], of from[gate][4 group + lane]. */
static inline Vector sum_fours(lanes *from) {
    Vector a = *(Vector *)from[0], b = *(Vector *)from[1], c = *(Vector *)from[2];
    Vector x = pairs(pairs(a, b), pairs(c, *(Vector *)from[3])); /* [4 gate + group] */
    return MIX(x, x, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}
#endif

/* Gates of a span, each group's spread over its channels' lanes: to[t * state + n]. */
static void read_gates(lanes *to, const Tensor *x, const Job *job, const Tile *tile, int64_t b,
                       int64_t from, int64_t steps) {
    int64_t width = job->size >= LANES ? LANES : tile->width, state = job->state;
#ifdef MIX
    if (by_fours(job, x, tile)) {
        for (int64_t t = 0; t < steps; t++) {
            const REAL *rows[4];
            for (int p = 0; p < 4; p++) rows[p] = place(x, job, b, tile->group + p, from + t);
            for (int64_t n = 0; n < state; n += 4) {
                lanes gates;
                for (int p = 0; p < 4; p++) memcpy(gates + 4 * p, rows[p] + n, 4 * sizeof(REAL));
                spread_fours(to + t * state + n, *(Vector *)gates);
            }
        }
        return;
    }
#endif
    for (int64_t t = 0; t < steps; t++)
        for (int64_t p = 0; p < tile->pieces; p++) {
            const REAL *row = place(x, job, b, tile->group + p, from + t);
            for (int64_t n = 0; n < state; n++) {
                REAL gate = row[n * x->inner], *lane = to[t * state + n] + p * width;
                if (width == LANES) EACH_LANE lane[j] = gate;
                else if (width == 4) for (int j = 0; j < 4; j++) lane[j] = gate;
                else for (int64_t j = 0; j < width; j++) lane[j] = gate;
            }
        }
}

/* The reverse: sums over each group's lanes. */
static void write_gates(const Tensor *x, lanes *from_lanes, const Job *job, const Tile *tile,
                        int64_t b, int64_t from, int64_t steps) {
    int64_t width = job->size >= LANES ? LANES : tile->width, state = job->state;
#ifdef MIX
    if (by_fours(job, x, tile)) {
        for (int64_t t = 0; t < steps; t++) {
            REAL *rows[4];
            for (int p = 0; p < 4; p++) rows[p] = place(x, job, b, tile->group + p, from + t);
            for (int64_t n = 0; n < state; n += 4) {
                lanes sums;
                *(Vector *)sums = sum_fours(from_lanes + t * state + n);
                for (int p = 0; p < 4; p++) memcpy(rows[p] + n, sums + 4 * p, 4 * sizeof(REAL));
            }
        }
        return;
    }
#endif
    for (int64_t t = 0; t < steps; t++)
        for (int64_t p = 0; p < tile->pieces; p++) {
            REAL *row = place(x, job, b, tile->group + p, from + t);
            for (int64_t n = 0; n < state; n++) {
                const REAL *lane = from_lanes[t * state + n] + p * width;
                REAL sum = 0;
                if (width == LANES) {
                    REAL half[LANES / 2], quarter[LANES / 4];
                    for (int j = 0; j < LANES / 2; j++) half[j] = lane[j] + lane[j + LANES / 2];
                    for (int j = 0; j < LANES / 4; j++) quarter[j] = half[j] + half[j + LANES / 4];
                    sum = (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
                } else if (width == 4) {
                    sum = (lane[0] + lane[2]) + (lane[1] + lane[3]);
                } else {
                    for (int64_t j = 0; j < width; j++) sum += lane[j];
                }
                row[n * x->inner] = sum;
            }
        }
}

/* A of a tile: to[n]. Lanes without a channel get 0. */
static void read_rates(lanes *to, const Job *job, const Tile *tile) {
    memset(to, 0, job->state * sizeof(lanes));
    for (int64_t p = 0; p < tile->pieces; p++) {
        int64_t group = tile->group + p;
        const REAL *A = job->A.at + group / job->routes * job->A.head +
                        group % job->routes * job->A.route + tile->channel * job->A.cell;
        for (int64_t k = 0; k < tile->width; k++)
            for (int64_t n = 0; n < job->state; n++)
                to[n][p * tile->width + k] = A[k * job->A.cell + n * job->A.inner];
    }
}

static inline lanes *kept(const Job *job, const Cut *cut, int64_t b, int64_t tile, int64_t span) {
    int64_t at = (b * cut->tiles + tile) * cut->spans + span;
    return (lanes *)(job->starts + at * job->state * LANES);
}

static void forward_task(const Job *job, const Cut *cut, int64_t b, int64_t unit, lanes *room) {
    int64_t state = job->state;
    lanes *A = room, *h = A + state, *B = h + state, *C = B + SPAN * state;
    lanes u[SPAN], delta[SPAN], y[SPAN];
    for (int64_t part = 0; part < cut->tiles_of; part++) {
        Tile tile = tile_of(job, cut, unit, part);
        read_rates(A, job, &tile);
        memset(h, 0, state * sizeof(lanes));
        for (int64_t span = 0; span < cut->spans; span++) {
            int64_t from = span * SPAN, left = job->cells - from, steps = left < SPAN ? left : SPAN;
            if (job->starts)
                memcpy(kept(job, cut, b, unit * cut->tiles_of + part, span), h,
                       state * sizeof(lanes));
            read_steps(u, &job->u, job, &tile, b, from, steps);
            read_steps(delta, &job->delta, job, &tile, b, from, steps);
            read_gates(B, &job->B, job, &tile, b, from, steps);
            read_gates(C, &job->C, job, &tile, b, from, steps);
            for (int64_t t = 0; t < steps; t++) {
                const REAL *restrict step = delta[t];
                lanes input, sum = {0};
                EACH_LANE input[j] = step[j] * u[t][j];
                for (int64_t n = 0; n < state; n++) {
                    const REAL *restrict rate = A[n], *restrict in = B[t * state + n];
                    const REAL *restrict out = C[t * state + n];
                    REAL *restrict held = h[n];
                    EACH_LANE {
                        held[j] = exponential(step[j] * rate[j]) * held[j] + input[j] * in[j];
                        sum[j] += held[j] * out[j];
                    }
                }
                memcpy(y[t], sum, sizeof(lanes));
            }
            write_steps(&job->y, y, job, &tile, b, from, steps);
        }
    }
}

/* With g_t = dL/dh_t, summed over what h_t goes on to:
   g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1},  d(delta_t A) = g_t h_{t-1} exp(delta_t A),
   dB_t = sum over channels of g_t delta_t u_t,  d(delta_t u_t) = sum over state of g_t B_t,
   dC_t = sum over channels of h_t dy_t. */
static void backward_task(const Job *job, const Cut *cut, int64_t b, int64_t unit, lanes *room) {
    int64_t state = job->state, many = SPAN * state, parts = cut->tiles_of;
    lanes *B = room, *C = B + many, *dB = C + many, *dC = dB + many, *decay = dC + many;
    lanes *h = decay + many;                  /* SPAN + 1 of them: h[t] is the state before step t */
    lanes *A = h + many + state;              /* of each part, as the next two */
    lanes *dA = A + parts * state, *tail = dA + parts * state;
    lanes u[SPAN], delta[SPAN], dy[SPAN], du[SPAN], d_delta[SPAN];
    for (int64_t part = 0; part < parts; part++) {
        Tile tile = tile_of(job, cut, unit, part);
        read_rates(A + part * state, job, &tile);
    }
    memset(dA, 0, 2 * parts * state * sizeof(lanes));
    for (int64_t span = cut->spans - 1; span >= 0; span--) {
        int64_t from = span * SPAN, left = job->cells - from, steps = left < SPAN ? left : SPAN;
        Tile first = tile_of(job, cut, unit, 0);
        read_gates(B, &job->B, job, &first, b, from, steps);
        read_gates(C, &job->C, job, &first, b, from, steps);
        memset(dB, 0, 2 * many * sizeof(lanes));
        for (int64_t part = 0; part < parts; part++) {
            Tile tile = tile_of(job, cut, unit, part);
            const lanes *rates = A + part * state;
            read_steps(u, &job->u, job, &tile, b, from, steps);
            read_steps(delta, &job->delta, job, &tile, b, from, steps);
            read_steps(dy, &job->dy, job, &tile, b, from, steps);
            memcpy(h, kept(job, cut, b, unit * parts + part, span), state * sizeof(lanes));
            for (int64_t t = 0; t < steps; t++) {
                const REAL *restrict step = delta[t], *restrict x = u[t];
                for (int64_t n = 0; n < state; n++) {
                    const REAL *restrict rate = rates[n], *restrict in = B[t * state + n];
                    const REAL *restrict before = h[t * state + n];
                    REAL *restrict after = h[(t + 1) * state + n];
                    REAL *restrict kept_decay = decay[t * state + n];
                    EACH_LANE {
                        REAL d = exponential(step[j] * rate[j]);
                        kept_decay[j] = d;
                        after[j] = d * before[j] + step[j] * x[j] * in[j];
                    }
                }
            }
            for (int64_t t = steps - 1; t >= 0; t--) {
                const REAL *restrict step = delta[t], *restrict x = u[t], *restrict out = dy[t];
                lanes inputs = {0}, exponents = {0};
                for (int64_t n = 0; n < state; n++) {
                    int64_t at = t * state + n;
                    const REAL *restrict rate = rates[n], *restrict in = B[at], *restrict c = C[at];
                    const REAL *restrict before = h[at], *restrict after = h[at + state];
                    const REAL *restrict d = decay[at];
                    REAL *restrict rest = tail[part * state + n], *restrict sum_A = dA[part * state + n];
                    REAL *restrict sum_B = dB[at], *restrict sum_C = dC[at];
                    EACH_LANE {
                        REAL g = c[j] * out[j] + rest[j];
                        sum_C[j] += after[j] * out[j];
                        sum_B[j] += g * step[j] * x[j];
                        inputs[j] += g * in[j];
                        rest[j] = d[j] * g;
                        REAL exponent = rest[j] * before[j];
                        exponents[j] += exponent * rate[j];
                        sum_A[j] += exponent * step[j];
                    }
                }
                EACH_LANE {
                    du[t][j] = inputs[j] * step[j];
                    d_delta[t][j] = exponents[j] + inputs[j] * x[j];
                }
            }
            write_steps(&job->du, du, job, &tile, b, from, steps);
            write_steps(&job->d_delta, d_delta, job, &tile, b, from, steps);
        }
        write_gates(&job->dB, dB, job, &first, b, from, steps);
        write_gates(&job->dC, dC, job, &first, b, from, steps);
    }
    for (int64_t part = 0; part < parts; part++) {
        Tile tile = tile_of(job, cut, unit, part);
        for (int64_t p = 0; p < tile.pieces; p++) {
            int64_t group = tile.group + p;
            REAL *to = job->dA.at + b * job->dA.sample + group / job->routes * job->dA.head +
                       group % job->routes * job->dA.route + tile.channel * job->dA.cell;
            for (int64_t k = 0; k < tile.width; k++)
                for (int64_t n = 0; n < state; n++)
                    to[k * job->dA.cell + n * job->dA.inner] =
                        dA[part * state + n][p * tile.width + k];
        }
    }
}

/* Elements of starts. */
int64_t kept_elements(const Job *job) {
    Cut cut = cut_of(job);
    return job->samples * cut.tiles * cut.spans * job->state * LANES;
}

/* Run a pass on `threads` threads; 0, or 1 if memory ran out. */
int run(const Job *job, int backward, int threads) {
    Cut cut = cut_of(job);
    int64_t tasks = job->samples * cut.units;
    int64_t rows = backward ? (6 * SPAN + 1 + 3 * cut.tiles_of) * job->state
                            : (2 * SPAN + 2) * job->state;
    int failed = 0;
#pragma omp parallel num_threads(threads) if (threads > 1) reduction(| : failed)
    {
        lanes *room = aligned_alloc(64, (rows * sizeof(lanes) + 63) / 64 * 64);
        failed = room == NULL;
        if (room) memset(room, 0, rows * sizeof(lanes)); /* lanes without a channel stay 0 */
#pragma omp for schedule(static)
        for (int64_t task = 0; task < tasks; task++) {
            if (room && backward) backward_task(job, &cut, task / cut.units, task % cut.units, room);
            else if (room) forward_task(job, &cut, task / cut.units, task % cut.units, room);
        }
        free(room);
    }
    return failed;
}
