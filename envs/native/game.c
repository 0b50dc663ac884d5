/* One game on its own copy of the engine, stepped by MiniHack's rules; see envs/game/engine.py, which
 * says the same in Python and where we differ from MiniHack. */
#define _GNU_SOURCE
#include "calm.h"
#include "sight.h"

#include <stdlib.h>
#include <string.h>

enum { SPACE = 32, ESC = 27, APPLY = 'a', YES = 'y', MACRO_LIMIT = 100, START_LIMIT = 1000 };
enum { ROWS = 21, COLS = 79, TIME = 20, INVENTORY = 55, NO_GLYPH = 5976 };
enum { KEY = 1906 + 196, CLOSED_DOOR = 2359 + 15 }; /* two glyphs, vertical and horizontal */

struct calm_game {
    calm_header *h;
    int row;
    calm_library library;
    void *engine;
    nle_obs obs;
    nle_settings settings;
    calm_progress progress;
    int said;         /* bytes of `messages` in this step */
    char last[256];   /* what was said last in it */
    char before[256]; /* what was on the screen before it, and when that was */
    int64_t time;
};

calm_game *calm_open(calm_header *h, int row, char why[256])
{
    calm_game *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->h = h;
    g->row = row;
    const char *fault = calm_load(&g->library, h->library);
    if (fault) {
        snprintf(why, 256, "%s", fault);
        free(g);
        return NULL;
    }
    for (int k = 0; k < N_KEYS; k++)
        if (h->key[k])
            g->obs.keys[k] = (char *) calm_at(h, h->key[k]) + h->row_bytes[k] * (uint64_t) row;
    g->library.read = g->obs.keys[K_SCREEN_DESCRIPTIONS] != NULL;
    if (!g->library.read)
        g->obs.keys[K_SCREEN_DESCRIPTIONS] = calm_unread;
    snprintf(g->settings.hackdir, sizeof g->settings.hackdir, "%.4000s/%d", h->root, row);
    memcpy(g->settings.options, h->options, sizeof h->options);
    g->settings.spawn_monsters = h->spawn_monsters;
    g->settings.fix_moon_phase = h->fix_moon_phase;
    return g;
}

static void end(calm_game *g)
{
    calm_plays(&g->library);
    if (g->engine)
        g->library.end(g->engine);
    g->engine = NULL;
}

void calm_close(calm_game *g)
{
    if (!g)
        return;
    end(g);
    calm_unload(&g->library);
    free(g);
}

/* --- the rules --------------------------------------------------------------------------- */

static void begin_to_hear(calm_game *g, bool episode)
{
    if (!g->obs.keys[K_MESSAGES])
        return;
    memset(g->obs.keys[K_MESSAGES], 0, MESSAGES);
    g->said = 0;
    g->last[0] = g->before[0] = 0;
    if (!episode)
        memcpy(g->before, g->obs.keys[K_MESSAGE], sizeof g->before);
    g->time = ((const int64_t *) g->obs.keys[K_BLSTATS])[TIME];
}

static bool is(const char *message, size_t bytes, const char other[256])
{
    return strnlen(other, 256) == bytes && !memcmp(message, other, bytes);
}

/* Adds what the game says to `messages`; see envs/game/messages.py, which says the same. */
static void hear(calm_game *g, bool ends)
{
    char *all = g->obs.keys[K_MESSAGES];
    const char *message = g->obs.keys[K_MESSAGE];
    const int32_t *internal = g->obs.keys[K_INTERNAL];
    if (!all || (!ends && (internal[1] || internal[2])))
        return;
    const size_t bytes = strnlen(message, sizeof g->last);
    if (!bytes || is(message, bytes, g->last))
        return;
    const int64_t *blstats = g->obs.keys[K_BLSTATS];
    if (is(message, bytes, g->before) && blstats[TIME] == g->time)
        return;
    memset(g->last, 0, sizeof g->last);
    memcpy(g->last, message, bytes);
    if (g->said && g->said < MESSAGES - 1)
        all[g->said++] = ' ';
    for (size_t i = 0; i < bytes && g->said < MESSAGES - 1; i++)
        all[g->said++] = message[i];
}

/* Whether the game is over; the engine can't be stepped then. */
static inline bool press(calm_game *g, int key)
{
    if (!g->engine || g->obs.done)
        return true;
    g->obs.action = key;
    calm_plays(&g->library);
    g->library.step(g->engine, &g->obs);
    hear(g, false);
    return g->obs.done;
}

static int start(calm_game *g)
{
    calm_header *h = g->h;
    uint64_t seed = ((uint64_t *) calm_at(h, h->next_seed))[g->row];
    g->settings.seeds.core = g->settings.seeds.disp = seed;
    g->settings.seeds.reseed = 0;
    g->settings.seeds.given = true;
    g->settings.time_seed = seed + 1; /* what nle makes of it; used with fix_moon_phase alone */
    g->settings.time_seed_given = g->settings.fix_moon_phase;
    calm_plays(&g->library);
    g->engine = g->library.start(&g->obs, NULL, &g->settings);
    ((int64_t *) calm_at(h, h->level_seed))[g->row] = (int64_t) seed;
    ((int32_t *) calm_at(h, h->steps))[g->row] = 0;
    ((int32_t *) calm_at(h, h->limit))[g->row] = h->max_steps;
    const int32_t *state = g->obs.keys[K_PROGRAM_STATE];
    for (int i = 0; i < START_LIMIT && !g->obs.done; i++) {
        if (state[3]) { /* in the move loop */
            calm_begin_goal(h, &g->progress, g->obs.keys);
            begin_to_hear(g, true);
            hear(g, true);
            return 0;
        }
        press(g, SPACE);
    }
    return -1;
}

int calm_reset(calm_game *g)
{
    if (g->engine) {
        end(g);
        calm_rewind(&g->library);
    }
    return start(g);
}

static bool asked(const char *message)
{
    static const char *const words[] = { "eat", "attack", "direction?", "pray" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (calm_says(message, words[i]))
            return true;
    return false;
}

static bool known_steps(calm_game *g, bool done)
{
    const int32_t *internal = g->obs.keys[K_INTERNAL];
    while (!done) {
        if (internal[3]) /* waits for a space */
            done = press(g, SPACE);
        else if (internal[2]) /* asks for a line of text */
            done = press(g, ESC);
        else if (internal[1]) { /* asks for one character */
            if (g->h->allow_all_yn || asked(g->obs.keys[K_MESSAGE]))
                break;
            return press(g, ESC);
        } else
            break;
    }
    return done;
}

static int door(calm_game *g)
{
    const int64_t *blstats = g->obs.keys[K_BLSTATS];
    const int16_t *glyphs = g->obs.keys[K_GLYPHS];
    const char *keys = "ykuh.lbjn";
    for (int i = 0; i < 9; i++) {
        int64_t x = blstats[0] + i % 3 - 1, y = blstats[1] + i / 3 - 1;
        if (x < 0 || y < 0 || x >= COLS || y >= ROWS)
            continue;
        int glyph = glyphs[y * COLS + x];
        if (glyph == CLOSED_DOOR || glyph == CLOSED_DOOR + 1)
            return keys[i];
    }
    return 0;
}

static bool open_door(calm_game *g)
{
    const int16_t *carried = g->obs.keys[K_INV_GLYPHS];
    const uint8_t *letters = g->obs.keys[K_INV_LETTERS];
    int held = 0;
    while (held < INVENTORY && carried[held] != KEY)
        held++;
    int direction = held < INVENTORY ? door(g) : 0;
    if (!direction)
        return false;
    if (press(g, APPLY) || press(g, letters[held]) || press(g, direction) || press(g, YES))
        return true;
    bool done = known_steps(g, false);
    for (int i = 0; i < MACRO_LIMIT && !done; i++) {
        done = known_steps(g, press(g, direction));
        if (!door(g))
            break;
    }
    return done;
}

void calm_step(calm_game *g)
{
    calm_header *h = g->h;
    const int row = g->row;
    const int64_t action = ((int64_t *) calm_at(h, h->action))[row];
    int32_t *steps = (int32_t *) calm_at(h, h->steps) + row;
    ((uint8_t *) calm_at(h, h->history))[row * HISTORY + *steps % HISTORY] = (uint8_t) action;
    const int key = h->presses[action];
    const int64_t *blstats = g->obs.keys[K_BLSTATS];
    const int32_t *state = g->obs.keys[K_PROGRAM_STATE];
    begin_to_hear(g, false);
    bool done = h->path == PATH_KEYROOM && key == APPLY && open_door(g);
    const int64_t before = blstats[TIME];
    if (!done) {
        done = press(g, key);
        if (state[0] == 1 || !h->allow_all_modes)
            done = known_steps(g, done);
    }
    hear(g, true);
    ++*steps;
    const bool late = *steps >= ((int32_t *) calm_at(h, h->limit))[row];
    const bool reached = !late && calm_reached(h, &g->progress, g->obs.keys, key);
    /* As in nle, whoever is dead or late does not win. */
    int8_t status = done ? DIED : late ? ABORTED : reached ? WON : RUNNING;
    double reward = calm_reward(h, &g->progress, status);
    if (status == WON && reward < 0)
        status = LOST;
    if (h->penalty && blstats[TIME] == before)
        reward += h->penalty_step;
    ((float *) calm_at(h, h->reward))[row] = (float) reward;
    ((int8_t *) calm_at(h, h->status))[row] = status;
}

/* --- a batch ----------------------------------------------------------------------------- */

static void cut_bytes(const uint8_t *map, int64_t x, int64_t y, int size, uint8_t *out)
{
    for (int r = 0; r < size; r++)
        for (int c = 0; c < size; c++) {
            int64_t i = y + r, j = x + c;
            bool inside = i >= 0 && i < ROWS && j >= 0 && j < COLS;
            *out++ = inside ? map[i * COLS + j] : 0;
        }
}

static void cut_glyphs(const int16_t *map, int64_t x, int64_t y, int size, int16_t *out)
{
    for (int r = 0; r < size; r++)
        for (int c = 0; c < size; c++) {
            int64_t i = y + r, j = x + c;
            bool inside = i >= 0 && i < ROWS && j >= 0 && j < COLS;
            *out++ = inside ? map[i * COLS + j] : NO_GLYPH;
        }
}

static void crop(calm_game *g)
{
    calm_header *h = g->h;
    const int64_t *blstats = g->obs.keys[K_BLSTATS];
    const int64_t x = blstats[0] - h->crop / 2, y = blstats[1] - h->crop / 2;
    const size_t cells = (size_t) h->crop * (size_t) h->crop;
    for (int k = K_GLYPHS; k <= K_SPECIALS; k++) {
        if (!h->crop_at[k])
            continue;
        char *out = calm_at(h, h->crop_at[k]);
        if (k == K_GLYPHS)
            cut_glyphs(g->obs.keys[k], x, y, h->crop, (int16_t *) out + cells * (size_t) g->row);
        else
            cut_bytes(g->obs.keys[k], x, y, h->crop, (uint8_t *) out + cells * (size_t) g->row);
    }
}

static void keep_final(calm_game *g)
{
    calm_header *h = g->h;
    const uint64_t row = (uint64_t) g->row;
    ((int32_t *) calm_at(h, h->final_steps))[row] = ((int32_t *) calm_at(h, h->steps))[row];
    ((int64_t *) calm_at(h, h->final_level_seed))[row] =
        ((int64_t *) calm_at(h, h->level_seed))[row];
    for (int k = 0; k < N_KEYS; k++)
        if (h->key_final[k])
            memcpy((char *) calm_at(h, h->key_final[k]) + h->row_bytes[k] * row, g->obs.keys[k],
                   h->row_bytes[k]);
    for (int k = K_GLYPHS; k <= K_SPECIALS; k++)
        if (h->crop_at[k]) {
            size_t bytes = (size_t) h->crop * (size_t) h->crop * (k == K_GLYPHS ? 2 : 1);
            memcpy((char *) calm_at(h, h->crop_final[k]) + bytes * row,
                   (char *) calm_at(h, h->crop_at[k]) + bytes * row, bytes);
        }
}

/* As calm_reset, but with the library unloaded and loaded anew, as nle does it: without our hooks. */
static int restart(calm_game *g)
{
    end(g);
    if (!g->library.read)
        g->obs.keys[K_SCREEN_DESCRIPTIONS] = NULL;
    return calm_reload(&g->library) ? -1 : start(g);
}

/* The engine alone, for the bench: one game, random actions, no batch, no crops, and episodes start
 * as nle starts them. */
static int raw(calm_game *g, int steps)
{
    calm_header *h = g->h;
    uint64_t random = 88172645463325252u + (uint64_t) g->row;
    for (int i = 0; i < steps; i++) {
        random ^= random << 13; /* xorshift64, Marsaglia 2003 */
        random ^= random >> 7;
        random ^= random << 17;
        ((int64_t *) calm_at(h, h->action))[g->row] =
            (int64_t) (random % (uint64_t) h->n_actions);
        calm_step(g);
        if (((int8_t *) calm_at(h, h->status))[g->row] != RUNNING) {
            ++((uint64_t *) calm_at(h, h->next_seed))[g->row];
            if (restart(g))
                return -1;
        }
    }
    return 0;
}

/* What looks at the rows, or NULL; its pointers are this process's. */
static calm_sight *sight_of(calm_header *h)
{
    static calm_sight own; /* a worker has one batch */
    calm_sight *s = calm_at(h, h->sight);
    if (!h->watched || h->address == (uintptr_t) h)
        return h->watched ? s : NULL;
    if (!own.n) {
        own = *s;
        for (char *p = (char *) &own.thing_of; p < (char *) (&own + 1); p += sizeof(char *)) {
            char *there;
            memcpy(&there, p, sizeof there);
            there += (char *) h - (char *) h->address;
            memcpy(p, &there, sizeof there);
        }
    }
    return &own;
}

void calm_lost(calm_header *h, int row)
{
    calm_sight *s = sight_of(h);
    if (s)
        calm_lose_sight(s, row);
}

int calm_do(calm_header *h, calm_game **games, int first, int last, uint32_t command,
            _Atomic int32_t *place)
{
    calm_sight *sight = sight_of(h);
    const uint8_t *flag = calm_at(h, h->flag);
    const int8_t *status = calm_at(h, h->status);
    for (int row = first; row < last; row++) {
        calm_game *g = games[row - first];
        atomic_store_explicit(place, row, memory_order_relaxed);
        if (command == RAW) {
            if (restart(g) || raw(g, h->raw_steps))
                return -1;
            continue;
        }
        if (command == RESET) {
            if (!flag[row])
                continue;
            if (calm_reset(g))
                return -1;
            crop(g);
            if (sight)
                calm_forget(sight, row);
            continue;
        }
        calm_step(g);
        crop(g);
        if (sight)
            calm_see(sight, row);
        if (status[row] != RUNNING) {
            keep_final(g);
            if (command == STEP_AND_RESET) {
                if (calm_reset(g))
                    return -1;
                crop(g);
                if (sight)
                    calm_forget(sight, row);
            }
        }
    }
    atomic_store_explicit(place, -1, memory_order_relaxed);
    return 0;
}
