/* The parent's side: start a turn and wait for the workers; or play it all in this process. */
#define _GNU_SOURCE
#include "calm.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Whether the game has the actions that a command takes. */
static bool can(calm_header *h, uint32_t command)
{
    const int64_t *actions = calm_at(h, h->action);
    if (command == STEP || command == STEP_AND_RESET)
        for (int i = 0; i < h->n_envs; i++)
            if (actions[i] < 0 || actions[i] >= h->n_actions)
                return false;
    return true;
}

/* How many rows the last step ended. */
static int ended(calm_header *h)
{
    const int8_t *status = calm_at(h, h->status);
    int n = 0;
    for (int i = 0; i < h->n_envs; i++)
        n += status[i] != RUNNING;
    return n;
}

/* Pays for a step, if anything pays. Not for one of which rows may be lost. */
static void pay(calm_header *h, uint32_t command)
{
    if (h->pay && (command == STEP || command == STEP_AND_RESET))
        h->paid = calm_number_and_pay((void *) h->table, (void *) h->pay);
}

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

enum { NOT_YET = -1, NO_SUCH_ACTION = -2, NO_START = -3 };

/* How many rows the turn ended, or NOT_YET after `timeout_us`. */
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
            return ended(h);
        }
        double waited = now() - start;
        if (waited > timeout_us)
            return NOT_YET;
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

/* One turn with the workers; see calm_wait. With NO_SUCH_ACTION nothing is done. */
int calm_turn(calm_header *h, uint32_t command, int timeout_us)
{
    if (!can(h, command))
        return NO_SUCH_ACTION;
    h->paid = NOT_PAID;
    begin(h, command);
    const int n = calm_wait(h, timeout_us);
    if (n != NOT_YET)
        pay(h, command);
    return n;
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

/* The same without workers, or NO_START if a game did not. */
int calm_here(calm_header *h, calm_game **games, uint32_t command)
{
    if (!can(h, command))
        return NO_SUCH_ACTION;
    h->paid = NOT_PAID;
    _Atomic int32_t *place = calm_at(h, h->place);
    if (calm_do(h, games, 0, h->n_envs, command, place))
        return NO_START;
    pay(h, command);
    return ended(h);
}
