/* What a step changed, for all rows of a batch: the frequent part of envs/sight.py, which says what
 * it means. What is rare (a change of inventory or status, an end) is left to Python, by a flag. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 21 * 79, COLS = 79, BLSTATS = 27, INVENTORY = 55, MESSAGE = 256, INTERNAL = 9 };
enum { MAX_KINDS = 16 };
enum { INVENTORY_CHANGED = 1, STATUS_CHANGED = 2, AGAIN = 4, ASKS = 8, UNKNOWN = 16, NEWS = 32 };

/* envs/native/sight.py has the same structure in ctypes. */
typedef struct {
    int32_t n, kinds, width, n_status;
    /* Columns of a signature, bits of its column `seen`, kinds of things. */
    int32_t action_column, seen_column, ground_column, message_column, question_column;
    int32_t moved, with_key_bit, opened, pushed, water_filled, lava_filled, asked_bit;
    int32_t closed, boulder, monster, water, lava, key, in_hand;
    int32_t carried_key, room, corridor;
    /* Tables. */
    const uint8_t *thing_of, *ground_of, *passable, *solid, *level_of, *change_of, *carried_of;
    const uint8_t *action_kinds;
    const uint64_t *multipliers;
    const int64_t *status_columns;
    /* s' and the actions. */
    const int16_t *glyphs, *carried;
    const int64_t *blstats, *actions;
    const uint8_t *message;
    const int32_t *internal;
    /* What was seen before. */
    int16_t *seen_glyphs, *seen_carried;
    uint8_t *things, *covered, *levels, *under, *ground, *with_key, *asked;
    int64_t *x, *y, *hero, *status;
    uint64_t *asked_hash;
    /* Out. */
    uint8_t *signatures, *flags;
} calm_sight;

/* Level of the nearest thing of each kind. */
static void nearest(const calm_sight *s, int e, uint8_t *levels)
{
    const uint8_t *things = s->things + e * CELLS;
    memset(levels, 0, (size_t) s->kinds);
    for (int c = 0; c < CELLS;) {
        uint64_t w[4];
        if (c + 32 <= CELLS && (memcpy(w, things + c, 32), !(w[0] | w[1] | w[2] | w[3]))) {
            c += 32;
            continue;
        }
        for (int end = c + 32 < CELLS ? c + 32 : CELLS; c < end; c++) {
            const int kind = things[c];
            if (!kind)
                continue;
            const int dy = abs(c / COLS - (int) s->y[e]), dx = abs(c % COLS - (int) s->x[e]);
            const uint8_t level = s->level_of[kind * COLS + (dy > dx ? dy : dx)];
            if (level > levels[kind])
                levels[kind] = level;
        }
    }
    if (s->under[e])
        levels[s->under[e]] = s->level_of[s->under[e] * COLS];
    if (s->with_key[e])
        levels[s->key] = (uint8_t) s->in_hand;
}

static void look(calm_sight *s, int e)
{
    uint8_t *out = s->signatures + e * s->width, *before = s->levels + e * s->kinds;
    uint8_t now[MAX_KINDS];
    nearest(s, e, now);
    for (int k = 0; k < s->kinds; k++)
        out[k] = s->change_of[(before[k] << 3 | now[k]) & 63];
    memcpy(before, now, (size_t) s->kinds);
}

static void changed_cell(calm_sight *s, int e, int c, uint8_t *seen, uint8_t *flag)
{
    uint8_t *thing = s->things + e * CELLS + c;
    const int glyph = s->glyphs[e * CELLS + c], old = *thing;
    const int new = c == s->hero[e] ? 0 : s->thing_of[glyph]; /* the hero is no monster */
    s->seen_glyphs[e * CELLS + c] = (int16_t) glyph;
    *thing = (uint8_t) new;
    if ((new == s->monster || new == s->boulder) && old != s->monster && old != s->boulder)
        s->covered[e * CELLS + c] = (uint8_t) old; /* it is not forgotten */
    int bit = 0;
    if (old && old == s->closed && s->passable[glyph])
        bit = s->opened;
    else if (old && old == s->water && s->solid[glyph])
        bit = s->water_filled;
    else if (old && old == s->lava && s->solid[glyph])
        bit = s->lava_filled;
    if (bit) {
        *seen |= (uint8_t) bit;
        *flag |= AGAIN;
    }
}

/* Whether any cell did. Line by line, since most steps change cells around the hero alone. */
static bool changed_cells(calm_sight *s, int e, uint8_t *seen, uint8_t *flag)
{
    const int16_t *now = s->glyphs + e * CELLS, *before = s->seen_glyphs + e * CELLS;
    bool any = false;
    for (int line = 0; line < CELLS; line += COLS) {
        if (!memcmp(now + line, before + line, COLS * sizeof *now))
            continue;
        any = true;
        for (int c = line; c < line + COLS; c++)
            if (now[c] != before[c])
                changed_cell(s, e, c, seen, flag);
    }
    s->things[e * CELLS + s->hero[e]] = 0;
    return any;
}

static uint64_t hash(const calm_sight *s, int e)
{
    uint64_t words[MESSAGE / 8], sum = 0;
    memcpy(words, s->message + e * MESSAGE, MESSAGE);
    for (int i = 0; i < MESSAGE / 8; i++)
        sum += words[i] * s->multipliers[i];
    return sum;
}

/* Forgets what these rows had seen; the arrays hold their first observation. */
void calm_forget(calm_sight *s, const int64_t *rows, int n)
{
    static const int around[] = { -80, -79, -78, -1, 1, 78, 79, 80 };
    for (int i = 0; i < n; i++) {
        const int e = (int) rows[i];
        const int16_t *glyphs = s->glyphs + e * CELLS, *carried = s->carried + e * INVENTORY;
        const int64_t *blstats = s->blstats + e * BLSTATS;
        uint8_t *things = s->things + e * CELLS;
        memcpy(s->seen_glyphs + e * CELLS, glyphs, CELLS * sizeof *glyphs);
        memcpy(s->seen_carried + e * INVENTORY, carried, INVENTORY * sizeof *carried);
        memset(s->covered + e * CELLS, 0, CELLS);
        const int hero = (int) (blstats[1] * COLS + blstats[0]);
        s->x[e] = blstats[0];
        s->y[e] = blstats[1];
        s->hero[e] = hero;
        s->under[e] = 0;
        for (int c = 0; c < CELLS; c++)
            things[c] = s->thing_of[glyphs[c]];
        things[hero] = 0;
        /* The hero hides what it stands on: take the ground next to it. */
        bool room = false, corridor = false;
        for (int k = 0; k < 8; k++) {
            const int c = hero + around[k];
            const int ground = s->ground_of[glyphs[c < 0 ? 0 : c < CELLS ? c : CELLS - 1]];
            room |= ground == s->room;
            corridor |= ground == s->corridor;
        }
        s->ground[e] = (uint8_t) (corridor && !room ? s->corridor : s->room);
        s->with_key[e] = 0;
        for (int k = 0; k < INVENTORY; k++)
            s->with_key[e] |= s->carried_of[carried[k]] == s->carried_key;
        for (int k = 0; k < s->n_status; k++)
            s->status[e * s->n_status + k] = blstats[s->status_columns[k]];
        nearest(s, e, s->levels + e * s->kinds);
        s->asked_hash[e] = hash(s, e);
        s->asked[e] = s->internal[e * INTERNAL + 1] != 0;
    }
}

/* Fills the signatures of all rows but those whose inventory changed, and the flags; returns all
 * flags together. */
int calm_see(calm_sight *s)
{
    int all = 0;
    for (int e = 0; e < s->n; e++) {
        uint8_t *out = s->signatures + e * s->width, flag = 0, seen = 0;
        const int64_t *blstats = s->blstats + e * BLSTATS;
        memset(out, 0, (size_t) s->width);
        const int64_t x = s->x[e] = blstats[0], y = s->y[e] = blstats[1];
        const int64_t hero = y * COLS + x;
        const int moved = hero != s->hero[e];
        out[s->action_column] = s->action_kinds[s->actions[e]];
        if (moved)
            seen |= (uint8_t) s->moved;
        if (s->asked[e]) {
            seen |= (uint8_t) s->asked_bit;
            memcpy(out + s->question_column, &s->asked_hash[e], 8);
        }
        if (moved) { /* where the hero stands now, as the map showed it before */
            const int shown = s->seen_glyphs[e * CELLS + hero];
            int under = s->thing_of[shown];
            if (under == s->boulder || under == s->monster) {
                if (under == s->boulder) {
                    seen |= (uint8_t) s->pushed;
                    flag |= AGAIN;
                }
                under = s->covered[e * CELLS + hero];
            }
            s->under[e] = (uint8_t) under;
            const uint8_t ground = s->ground_of[shown];
            if (ground && ground != s->ground[e])
                out[s->ground_column] = s->ground[e] = ground;
            s->hero[e] = hero;
        }
        const bool changed = changed_cells(s, e, &seen, &flag);
        if (s->with_key[e])
            seen |= (uint8_t) s->with_key_bit;
        out[s->seen_column] = seen;
        if (memcmp(s->carried + e * INVENTORY, s->seen_carried + e * INVENTORY,
                   INVENTORY * sizeof(int16_t)))
            flag |= INVENTORY_CHANGED;
        for (int i = 0; i < s->n_status; i++)
            if (blstats[s->status_columns[i]] != s->status[e * s->n_status + i])
                flag |= STATUS_CHANGED;
        if (!(flag & INVENTORY_CHANGED) && (moved || changed)) /* else all is as near as it was */
            look(s, e);
        const uint64_t heard = hash(s, e);
        memcpy(out + s->message_column, &heard, 8);
        s->asked_hash[e] = heard;
        if ((s->asked[e] = s->internal[e * INTERNAL + 1] != 0))
            flag |= ASKS;
        s->flags[e] = flag;
        all |= flag;
    }
    return all;
}

/* The rest for rows whose inventory changed, once Python has dealt with that. */
void calm_see_again(calm_sight *s)
{
    for (int e = 0; e < s->n; e++) {
        if (!(s->flags[e] & INVENTORY_CHANGED))
            continue;
        uint8_t *seen = s->signatures + e * s->width + s->seen_column;
        *seen &= (uint8_t) ~s->with_key_bit;
        if (s->with_key[e])
            *seen |= (uint8_t) s->with_key_bit;
        look(s, e);
    }
}

/* --- numbers of signatures -------------------------------------------------------------------
 * A table of `size` places (a power of two): keys of `width` bytes, and the number + 1, 0 where a
 * place is free. envs/native/sight.py has the same structure in ctypes. */
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

/* Looks up all rows; UNKNOWN if one has no number, else 0. */
int calm_number(const calm_table *t)
{
    int unknown = 0;
    for (int64_t i = 0; i < t->n; i++) {
        t->out[i] = t->numbers[place_of(t, t->rows + i * t->width)] - 1;
        unknown |= t->out[i] < 0;
    }
    return unknown ? UNKNOWN : 0;
}

void calm_learn(const calm_table *t, const uint8_t *keys, int64_t n, const int64_t *numbers)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = place_of(t, keys + i * t->width);
        memcpy(t->keys + at * t->width, keys + i * t->width, (size_t) t->width);
        t->numbers[at] = numbers[i] + 1;
    }
}

/* What a judge said of each number; envs/native/sight.py has the same structure in ctypes. */
typedef struct {
    int64_t known, subgoals;
    const int8_t *said;      /* known x subgoals: 1 yes, 0 no, below 0 no answer */
    const float *achieved;   /* n x subgoals: 1 where a yes is no news */
} calm_answers;

static bool news(const calm_answers *a, const calm_table *t)
{
    for (int64_t i = 0; i < t->n; i++) {
        if (t->out[i] >= a->known)
            return true;
        const int8_t *said = a->said + t->out[i] * a->subgoals;
        const float *achieved = a->achieved + i * a->subgoals;
        for (int64_t g = 0; g < a->subgoals; g++)
            if (said[g] && (said[g] < 0 || !achieved[g]))
                return true;
    }
    return false;
}

/* calm_see, and the numbers at once if Python has nothing to add to the signatures; then NEWS too,
 * unless the answers to all of them can be passed over. */
int calm_watch(calm_sight *s, const calm_table *t, const calm_answers *a)
{
    int flags = calm_see(s);
    if (!(flags & ~ASKS))
        flags |= calm_number(t);
    return flags & ~ASKS || !a || news(a, t) ? flags | NEWS : flags;
}
