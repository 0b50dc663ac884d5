/* What a step changed, for all rows of a batch: the frequent part of envs/sight.py, which says what
 * it means. What is rare (a change of inventory or status, an end) is left to Python, by a flag. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 21 * 79, COLS = 79, BLSTATS = 27, INVENTORY = 55, MESSAGE = 256, INTERNAL = 9 };
enum { MAX_KINDS = 16 };
enum { INVENTORY_CHANGED = 1, STATUS_CHANGED = 2, AGAIN = 4, ASKS = 8 };

/* envs/native/sight.py has the same structure in ctypes. */
typedef struct {
    int32_t n, kinds, width, n_status;
    /* Columns of a signature, bits of its column `seen`, kinds of things. */
    int32_t action_column, seen_column, ground_column, message_column, question_column;
    int32_t moved, with_key_bit, opened, pushed, water_filled, lava_filled, asked_bit;
    int32_t closed, boulder, monster, water, lava, key, in_hand;
    /* Tables. */
    const uint8_t *thing_of, *ground_of, *passable, *solid, *level_of, *change_of, *action_kinds;
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

static void look(calm_sight *s, int e)
{
    uint8_t *out = s->signatures + e * s->width;
    uint8_t *before = s->levels + e * s->kinds;
    const uint8_t *things = s->things + e * CELLS;
    uint8_t now[MAX_KINDS] = { 0 };
    for (int c = 0; c < CELLS;) {
        uint64_t eight;
        if (c + 8 <= CELLS && (memcpy(&eight, things + c, 8), !eight)) {
            c += 8;
            continue;
        }
        for (int end = c + 8 < CELLS ? c + 8 : CELLS; c < end; c++) {
            const int kind = things[c];
            if (!kind)
                continue;
            const int dy = abs(c / COLS - (int) s->y[e]), dx = abs(c % COLS - (int) s->x[e]);
            const uint8_t level = s->level_of[kind * COLS + (dy > dx ? dy : dx)];
            if (level > now[kind])
                now[kind] = level;
        }
    }
    if (s->under[e])
        now[s->under[e]] = s->level_of[s->under[e] * COLS];
    if (s->with_key[e]) {
        now[s->key] = (uint8_t) s->in_hand;
        out[s->seen_column] |= (uint8_t) s->with_key_bit;
    }
    for (int k = 0; k < s->kinds; k++)
        out[k] = s->change_of[(before[k] << 3 | now[k]) & 63];
    memcpy(before, now, (size_t) s->kinds);
}

static void changed_cells(calm_sight *s, int e, uint8_t *seen, uint8_t *flag)
{
    const int16_t *now = s->glyphs + e * CELLS;
    int16_t *before = s->seen_glyphs + e * CELLS;
    uint8_t *things = s->things + e * CELLS, *covered = s->covered + e * CELLS;
    const int hero = (int) s->hero[e];
    for (int c = 0; c < CELLS;) {
        uint64_t a, b;
        if (c + 4 <= CELLS && (memcpy(&a, now + c, 8), memcpy(&b, before + c, 8), a == b)) {
            c += 4;
            continue;
        }
        for (int end = c + 4 < CELLS ? c + 4 : CELLS; c < end; c++) {
            if (now[c] == before[c])
                continue;
            const int glyph = before[c] = now[c];
            const int old = things[c];
            const int new = c == hero ? 0 : s->thing_of[glyph]; /* the hero is no monster */
            things[c] = (uint8_t) new;
            if ((new == s->monster || new == s->boulder) && old != s->monster
                && old != s->boulder)
                covered[c] = (uint8_t) old; /* it is not forgotten */
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
    }
    things[hero] = 0;
}

static uint64_t hash(const calm_sight *s, int e)
{
    uint64_t words[MESSAGE / 8], sum = 0;
    memcpy(words, s->message + e * MESSAGE, MESSAGE);
    for (int i = 0; i < MESSAGE / 8; i++)
        sum += words[i] * s->multipliers[i];
    return sum;
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
        changed_cells(s, e, &seen, &flag);
        out[s->seen_column] = seen;
        if (memcmp(s->carried + e * INVENTORY, s->seen_carried + e * INVENTORY,
                   INVENTORY * sizeof(int16_t)))
            flag |= INVENTORY_CHANGED;
        for (int i = 0; i < s->n_status; i++)
            if (blstats[s->status_columns[i]] != s->status[e * s->n_status + i])
                flag |= STATUS_CHANGED;
        if (!(flag & INVENTORY_CHANGED))
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
    for (int e = 0; e < s->n; e++)
        if (s->flags[e] & INVENTORY_CHANGED)
            look(s, e);
}

/* --- numbers of signatures -------------------------------------------------------------------
 * A table of `size` places (a power of two): keys of `width` bytes, and the number + 1, 0 where a
 * place is free. */

static int64_t place_of(const uint8_t *key, int width, const uint8_t *keys, const int64_t *numbers,
                        int64_t size)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a over words */
    for (int i = 0; i + 8 <= width; i += 8) {
        uint64_t word;
        memcpy(&word, key + i, 8);
        h = (h ^ word) * 1099511628211u;
        h ^= h >> 29;
    }
    int64_t at = (int64_t) (h & (uint64_t) (size - 1));
    while (numbers[at] && memcmp(keys + at * width, key, (size_t) width))
        at = (at + 1) & (size - 1);
    return at;
}

/* The number of each of n keys, -1 where it has none; returns how many have none. */
int calm_number(const uint8_t *rows, int n, int width, const uint8_t *keys, const int64_t *numbers,
                int64_t size, int64_t *out)
{
    int unknown = 0;
    for (int i = 0; i < n; i++) {
        out[i] = numbers[place_of(rows + i * width, width, keys, numbers, size)] - 1;
        unknown += out[i] < 0;
    }
    return unknown;
}

void calm_learn(const uint8_t *rows, int n, int width, uint8_t *keys, int64_t *numbers,
                int64_t size, const int64_t *given)
{
    for (int i = 0; i < n; i++) {
        const int64_t at = place_of(rows + i * width, width, keys, numbers, size);
        memcpy(keys + at * width, rows + i * width, (size_t) width);
        numbers[at] = given[i] + 1;
    }
}
