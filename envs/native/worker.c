/* A worker: plays rows first..last-1 of the batch whose shared memory is open as descriptor `fd`.
 *
 *     worker fd index first last turn parent
 *
 * It starts with the turn after `turn`. It ends when told to, and when its parent is gone. Ctrl-C
 * is the parent's to handle. */
#define _GNU_SOURCE
#include "calm.h"

#include <dlfcn.h>
#include <ftw.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec * 1e-3;
}

static int discard(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void) st, (void) type, (void) where;
    return remove(path), 0;
}

static uint32_t next_turn(calm_header *h, uint32_t last, pid_t parent)
{
    static int misses;
    calm_sync *s = calm_at(h, h->sync);
    const double start = now();
    const bool spins = calm_spins(misses);
    bool slept = false;
    for (;;) {
        uint32_t turn = atomic_load(&s->turn);
        if (turn != last) {
            misses = slept ? misses + 1 : spins ? 0 : misses;
            return turn;
        }
        if (spins && now() - start < h->spin_us) {
            sched_yield();
            continue;
        }
        if (getppid() != parent) { /* killed, so it could not tidy up */
            nftw(h->root, discard, 16, FTW_DEPTH | FTW_PHYS);
            _exit(0);
        }
        slept = true;
        struct timespec t = { 0, 500 * 1000 * 1000 };
        atomic_fetch_add(&s->sleepers, 1);
        syscall(SYS_futex, &s->turn, FUTEX_WAIT, last, &t, NULL, 0);
        atomic_fetch_sub(&s->sleepers, 1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 64;
    const int fd = atoi(argv[1]), index = atoi(argv[2]);
    const int first = atoi(argv[3]), last = atoi(argv[4]);
    uint32_t turn = (uint32_t) strtoul(argv[5], NULL, 10);
    const pid_t parent = (pid_t) atoi(argv[6]); /* may be gone already */
    signal(SIGINT, SIG_IGN);
    struct stat st;
    if (fstat(fd, &st))
        return 65;
    calm_header *h =
        mmap(NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (h == MAP_FAILED)
        return 65;
    close(fd);
    /* As in a Python process, where others keep it: unloading it with the engine and loading it
     * again crashes. Only the bench's command RAW unloads anything. */
    dlopen("libstdc++.so.6", RTLD_NOW);
    calm_game **games = calloc((size_t) (last - first), sizeof *games);
    for (int row = first; row < last; row++) {
        char why[256] = "out of memory";
        if (!games || !(games[row - first] = calm_open(h, row, why))) {
            fprintf(stderr, "%s\n", why);
            return 66;
        }
    }
    calm_sync *s = calm_at(h, h->sync);
    _Atomic int32_t *place = (_Atomic int32_t *) calm_at(h, h->place) + index;
    for (;;) {
        turn = next_turn(h, turn, parent);
        if (s->command == STOP)
            _exit(0); /* nothing in here needs tidying */
        if (calm_do(h, games, first, last, s->command, place)) {
            fprintf(stderr, "the game of row %d does not start\n", (int) atomic_load(place));
            return 67;
        }
        /* Counted before it says so: the parent counts for those that are gone (workers.py). */
        const bool last_one = atomic_fetch_sub(&s->pending, 1) == 1;
        atomic_store(&s->finished[index], turn);
        if (last_one && atomic_load(&s->parent_sleeps))
            syscall(SYS_futex, &s->pending, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    }
}
