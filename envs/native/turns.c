/* The parent's side: start a turn and wait for the workers; or play it all in this process. */
#define _GNU_SOURCE
#include "calm.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

size_t calm_header_bytes(void) { return sizeof(calm_header); }

static void begin(calm_header *h, uint32_t command)
{
    calm_sync *s = calm_at(h, h->sync);
    s->command = command;
    atomic_store(&s->pending, (uint32_t) h->n_workers);
    atomic_fetch_add(&s->turn, 1);
    if (atomic_load(&s->sleepers))
        syscall(SYS_futex, &s->turn, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec * 1e-3;
}

/* 1 if the turn is over, 0 if it is not yet after `timeout_us`. */
int calm_wait(calm_header *h, int timeout_us)
{
    calm_sync *s = calm_at(h, h->sync);
    int32_t misses = s->parent_misses;
    const double start = now();
    const bool spins = calm_spins(misses);
    bool slept = false;
    for (;;) {
        uint32_t left = atomic_load(&s->pending);
        if (!left) {
            s->parent_misses = slept ? misses + 1 : spins ? 0 : misses;
            return 1;
        }
        double waited = now() - start;
        if (waited > timeout_us)
            return 0;
        if (spins && waited < h->spin_us) {
            sched_yield();
            continue;
        }
        slept = true;
        atomic_store(&s->parent_sleeps, 1);
        struct timespec t = { 0, 20 * 1000 * 1000 }; /* 20 ms: look up now and then */
        if ((left = atomic_load(&s->pending)))
            syscall(SYS_futex, &s->pending, FUTEX_WAIT, left, &t, NULL, 0);
        atomic_store(&s->parent_sleeps, 0);
    }
}

/* One turn with the workers; see calm_wait. */
int calm_turn(calm_header *h, uint32_t command, int timeout_us)
{
    begin(h, command);
    return calm_wait(h, timeout_us);
}

/* --- all rows in this process ---------------------------------------------------------------- */

calm_game **calm_open_all(calm_header *h, char why[256])
{
    calm_game **games = calloc((size_t) h->n_envs, sizeof *games);
    for (int i = 0; games && i < h->n_envs; i++)
        if (!(games[i] = calm_open(h, i, why))) {
            while (i-- > 0)
                calm_close(games[i]);
            free(games);
            return NULL;
        }
    return games;
}

void calm_close_all(calm_header *h, calm_game **games)
{
    for (int i = 0; i < h->n_envs; i++)
        calm_close(games[i]);
    free(games);
}

int calm_here(calm_header *h, calm_game **games, uint32_t command)
{
    _Atomic int32_t *place = calm_at(h, h->place);
    return calm_do(h, games, 0, h->n_envs, command, place);
}
