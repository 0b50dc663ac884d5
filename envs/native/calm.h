/* What the parts of the native stepper share: the engine's binary interface and the shared memory.
 *
 * The engine is NetHack as nle 1.3.0 ships it (libnethack.so). `nle_obs` and `nle_settings` repeat
 * the layout of its include/nletypes.h; check.py compares both paths before it trusts them.
 */
#ifndef CALM_H
#define CALM_H

#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { N_KEYS = 18, N_CROPS = 4, HISTORY = 16, MOST_CONDITIONS = 4, CELLS = 21 * 79 };
enum { MESSAGES = 512 };

/* Order of the pointers in nle_obs. layout.py has the same list. The last is ours, of MESSAGES bytes;
 * nle's structure ends before it. See envs/game/messages.py. */
enum {
    K_GLYPHS, K_CHARS, K_COLORS, K_SPECIALS, K_BLSTATS, K_MESSAGE, K_PROGRAM_STATE, K_INTERNAL,
    K_INV_GLYPHS, K_INV_STRS, K_INV_LETTERS, K_INV_OCLASSES, K_SCREEN_DESCRIPTIONS, K_TTY_CHARS,
    K_TTY_COLORS, K_TTY_CURSOR, K_MISC, K_MESSAGES
};

typedef struct {
    int action;
    int done;
    char in_normal_game;
    int how_done;
    void *keys[N_KEYS];
} nle_obs;

typedef struct {
    char hackdir[4096];
    char scoreprefix[4096];
    char options[32768];
    char wizkit[4096];
    int spawn_monsters;
    char ttyrecname[4096];
    struct {
        unsigned long core, disp;
        char reseed;
        bool given;
        unsigned long lgen;
        bool lgen_given;
    } seeds;
    bool fix_moon_phase;
    unsigned long time_seed;
    bool time_seed_given;
} nle_settings;

enum { RUNNING = 0, DIED = 1, WON = 2, LOST = 3, ABORTED = -1 };
enum { STEP = 1, STEP_AND_RESET = 2, RESET = 3, STOP = 4, RAW = 5 };
enum { PATH_RULES = 0, PATH_KEYROOM = 1 };
enum { NOT_PAID = -1 };

/* What a reward manager looks for; `Condition` of envs/game/conditions.py says what the fields mean. */
typedef struct {
    int32_t kind, place, key, repeatable, required, sufficient;
    double reward;
    char texts[256]; /* none is empty, each is ended by a zero, the last by two */
} calm_condition;

/* Start of the shared memory. layout.py has the same structure in ctypes. Offsets count bytes
 * from the start of the memory; 0 means absent. */
typedef struct {
    /* What to run. */
    int32_t n_envs, n_workers;
    int32_t path, allow_all_yn, allow_all_modes, max_steps, penalty;
    int32_t spawn_monsters, fix_moon_phase, crop, n_actions, spin_us, raw_steps;
    int32_t n_conditions, to_be_gone, covered_by;
    double reward_win, reward_lose, reward_step, reward_gone, penalty_step;
    calm_condition conditions[MOST_CONDITIONS];
    int32_t presses[256];
    char library[4096]; /* libnethack.so */
    char root[4096];    /* game i plays in root/i */
    char options[32768];
    /* Arrays of n_envs rows. */
    uint64_t key[N_KEYS], key_final[N_KEYS], row_bytes[N_KEYS];
    uint64_t crop_at[N_CROPS], crop_final[N_CROPS];
    uint64_t action;     /* int64 */
    uint64_t next_seed;  /* uint64, level of the next episode */
    uint64_t level_seed; /* int64, level of this episode */
    uint64_t reward;     /* float */
    uint64_t status;     /* int8 */
    uint64_t flag;       /* uint8, reset this row */
    uint64_t history;    /* uint8 [HISTORY], last actions as a ring */
    uint64_t steps;      /* int32, steps of this episode */
    uint64_t limit;      /* int32, steps after which it is cut */
    uint64_t final_steps, final_level_seed; /* of the episode that just ended */
    uint64_t place;      /* int32 by worker: the row it is at, or -1 */
    uint64_t sight;      /* calm_sight, whose pointers are the parent's */
    uint64_t address;    /* of this header in the parent */
    uint64_t watched;    /* 1 if rows are to be looked at, see sight.h */
    /* The parent's own: what numbers and pays for the rows at the end of a turn, see events.c; 0 if
     * nothing does. What that returned, or NOT_PAID. */
    uint64_t table, pay;
    int64_t paid;
    uint64_t sync;       /* calm_sync */
} calm_header;

/* Turns: the parent starts one, every worker takes part, the last one wakes the parent. Fields that
 * different processes write lie in different cache lines. */
typedef struct {
    _Alignas(64) _Atomic uint32_t turn;
    uint32_t command;
    _Alignas(64) _Atomic uint32_t pending; /* workers that have not finished the turn */
    _Atomic uint32_t parent_sleeps;
    int32_t parent_misses; /* see calm_spins */
    _Alignas(64) _Atomic uint32_t sleepers; /* workers that must be woken */
    _Alignas(64) _Atomic uint32_t finished[]; /* by worker, the last turn it finished */
} calm_sync;

/* Waking a sleeper takes some 50 us on a virtual machine, which is half a turn, so both sides look
 * again for `spin_us` before they sleep. Where that was in vain MISSES times in a row (the parent
 * is training, or others need the cores) it is left out, but for a try now and then. */
enum { MISSES = 8, TRY_AGAIN = 64 };

static inline bool calm_spins(int misses)
{
    return misses < MISSES || misses % TRY_AGAIN == 0;
}

static inline void *calm_at(calm_header *h, uint64_t offset)
{
    return (char *) h + offset;
}

/* A copy of nle's library, see library.c. */
enum { MAX_DESTRUCTORS = 16 };

typedef struct {
    void (*function)(void *);
    void *object;
} calm_destructor;

/* Stands before each piece of the heap that a copy has taken. */
typedef struct calm_block {
    struct calm_block *before, *after;
    uint64_t unused, mark; /* 32 bytes in all: malloc's alignment holds */
} calm_block;

typedef struct calm_library {
    void *(*start)(nle_obs *, FILE *, nle_settings *);
    void *(*step)(void *, nle_obs *);
    void (*end)(void *);
    const char *path;
    void *handle;
    int copy; /* descriptor of the file it was loaded from */
    ElfW(Addr) base;
    uint8_t *data;   /* its writable memory */
    uint8_t *before; /* what that held before the first game */
    size_t bytes;
    void (**init)(int, char **, char **);
    size_t n_init;
    void (**fini)(void);
    size_t n_fini;
    calm_destructor destructors[MAX_DESTRUCTORS];
    int n_destructors;
    calm_block blocks; /* a ring: it stands between the last and the first */
    /* See hooks.c. */
    void (*describe)(void *window, int x, int y, int glyph);
    const signed char *hero_at;
    int hero_glyph; /* what shows the hero in this episode, -1 before it was shown */
    bool read;      /* somebody reads the descriptions */
    /* See overview.c. */
    void (*see)(int control);
    void (*count)(void);
    bool seeing; /* the first of the two is at work */
    const void *sight, *level, *rooms, *hero; /* variables of the game, or NULL; so is the next */
    void *types;
    struct calm_library *next;
} calm_library;

/* See events.c. */
int calm_number_and_pay(const void *table, void *pay);

/* NULL, or why it can't be loaded. `path` must stay valid. */
const char *calm_load(calm_library *l, const char *path);
void calm_unload(calm_library *l);
/* To be called before start, step and end: what this thread's copy takes from the heap is l's. */
void calm_plays(calm_library *l);
/* Makes it as good as new, in 20 us; nle unloads and loads it instead, which takes 800. */
void calm_rewind(calm_library *l);
/* NULL, or why not. Afterwards it can't be rewound. */
const char *calm_reload(calm_library *l);

/* What a copy calls in place of functions of libc and its own, see heap.c, hooks.c, overview.c. */
extern _Thread_local calm_library *calm_playing;
void *calm_malloc(size_t bytes);
void *calm_calloc(size_t n, size_t bytes);
void *calm_realloc(void *p, size_t bytes);
void calm_free(void *p);
void calm_free_blocks(calm_library *l);
void *calm_memcpy(void *to, const void *from, size_t bytes);
time_t calm_time(time_t *out);
void calm_describe(void *window, int x, int y, int glyph);
void calm_see_dungeon(int control);
void calm_count_dungeon(void);
/* Finds what these two need; to be called once the copy is loaded. */
void calm_find_overview(calm_library *l);

/* How far an episode has come towards its goal: bits by condition, what they have paid since the
 * last reward; how many of what has to be gone are left and were gone by the last step, and in
 * which cells they were at first if something is to cover them. */
typedef struct {
    uint32_t achieved, begun;
    double earned;
    int left, gone, n_to_cover;
    int16_t to_cover[CELLS];
} calm_progress;

/* See goal.c. `keys` are nle's, `key` is the action's. */
bool calm_says(const char *message, const char *text);
void calm_begin_goal(const calm_header *h, calm_progress *p, void *const *keys);
bool calm_reached(const calm_header *h, calm_progress *p, void *const *keys, int key);
double calm_reward(const calm_header *h, calm_progress *p, int status);

/* Where the engine writes descriptions of the screen that nobody reads. */
extern uint8_t calm_unread[21 * 79 * 80];

typedef struct calm_game calm_game;

/* NULL and a reason in `why` if the engine can't be loaded. */
calm_game *calm_open(calm_header *h, int row, char why[256]);
void calm_close(calm_game *g);
/* 0, or -1 if the game does not start. */
int calm_reset(calm_game *g);
void calm_step(calm_game *g);

/* Does `command` for rows first..last-1 of games. Returns 0, or -1 if a game did not start. */
int calm_do(calm_header *h, calm_game **games, int first, int last, uint32_t command,
            _Atomic int32_t *place);

#endif
