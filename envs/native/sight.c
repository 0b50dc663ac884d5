/* What a step changed, row by row: envs/events/sight.py in C, which says what it means. */
#include "sight.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 21, COLS = 79, CELLS = ROWS * COLS };
enum { BLSTATS = 27, INVENTORY = 55, MESSAGE = 256, INTERNAL = 9 };

/* Level of the nearest thing of each kind. Kinds told coarsely are in view, or next to the hero: that
 * takes no look at all of them, and there may be a whole river. */
static void nearest(const calm_sight *s, int e, uint8_t *levels)
{
    const calm_row *r = s->rows + e;
    const uint8_t *things = s->things + e * CELLS;
    levels[0] = 0;
    for (int k = 1; k < s->kinds; k++)
        levels[k] = r->count[k] && !s->fine[k] ? s->level_of[k * COLS + COLS - 1] : 0;
    for (int y = r->y > 0 ? r->y - 1 : 0; y <= r->y + 1 && y < ROWS; y++)
        for (int x = r->x > 0 ? r->x - 1 : 0; x <= r->x + 1 && x < COLS; x++) {
            const int kind = things[y * COLS + x];
            if (kind)
                levels[kind] = s->level_of[kind * COLS + 1];
        }
    for (uint32_t lines = r->lines; lines; lines &= lines - 1) {
        const int y = __builtin_ctz(lines), dy = abs(y - r->y);
        const uint8_t *line = things + y * COLS;
        for (int x = 0; x < COLS;) {
            uint64_t eight;
            if (x + 8 <= COLS && (memcpy(&eight, line + x, 8), !eight)) {
                x += 8;
                continue;
            }
            const int kind = line[x], dx = abs(x++ - r->x);
            if (!kind || !s->fine[kind])
                continue;
            const uint8_t level = s->level_of[kind * COLS + (dy > dx ? dy : dx)];
            if (level > levels[kind])
                levels[kind] = level;
        }
    }
    if (r->under)
        levels[r->under] = s->level_of[r->under * COLS];
    if (r->with_key)
        levels[s->key] = (uint8_t) s->in_hand;
}

static void look(calm_sight *s, int e)
{
    uint8_t *out = s->signatures + e * s->width, *before = s->rows[e].levels;
    uint8_t now[MAX_KINDS];
    nearest(s, e, now);
    for (int k = 0; k < s->kinds; k++)
        out[k] = s->change_of[(before[k] << 3 | now[k]) & 63];
    memcpy(before, now, (size_t) s->kinds);
}

/* Puts a thing, or 0, where another was. */
static void put(calm_sight *s, int e, int cell, int thing)
{
    calm_row *r = s->rows + e;
    uint8_t *place = s->things + e * CELLS + cell;
    r->count[*place]--;
    r->count[thing]++;
    *place = (uint8_t) thing;
    if (s->fine[thing])
        r->lines |= (uint32_t) 1 << cell / COLS;
}

/* Returns whether something opened or filled. */
static bool changed_cell(calm_sight *s, int e, int c, uint8_t *seen)
{
    const int glyph = s->glyphs[e * CELLS + c], old = s->things[e * CELLS + c];
    const int new = c == s->rows[e].hero ? 0 : s->thing_of[glyph]; /* the hero is no monster */
    s->seen_glyphs[e * CELLS + c] = (int16_t) glyph;
    put(s, e, c, new);
    if (new && (new == s->water || new == s->lava))
        s->bed[e * CELLS + c] = 1;
    if ((new == s->monster || new == s->boulder) && old != s->monster && old != s->boulder)
        s->covered[e * CELLS + c] = (uint8_t) old; /* it is not forgotten */
    int bit = 0;
    if (old && old == s->closed && s->passable[glyph])
        bit = s->opened;
    else if (old && old == s->water && s->solid[glyph])
        bit = s->water_filled;
    else if (old && old == s->lava && s->solid[glyph])
        bit = s->lava_filled;
    *seen |= (uint8_t) bit;
    return bit != 0;
}

/* Whether the straight line between two cells leads over the bed. */
static bool over_bed(const uint8_t *bed, int start, int end)
{
    const int y = start / COLS, x = start % COLS, dy = end / COLS - y, dx = end % COLS - x;
    const int steps = abs(dy) > abs(dx) ? abs(dy) : abs(dx);
    for (int n = 1; n < steps; n++) {
        const int down = (2 * abs(dy) * n + steps) / (2 * steps);
        const int right = (2 * abs(dx) * n + steps) / (2 * steps);
        if (bed[(y + (dy > 0 ? down : -down)) * COLS + x + (dx > 0 ? right : -right)])
            return true;
    }
    return false;
}

/* Whether a step to `hero`, from where the row says that it stood, pushed the boulder that was there
 * onto a fountain. */
static bool onto_fountain(const calm_sight *s, int e, int hero)
{
    const int before = s->rows[e].hero;
    const int dy = hero / COLS - before / COLS, dx = hero % COLS - before % COLS;
    const int ahead = hero + dy * COLS + dx;
    if (abs(dy) > 1 || abs(dx) > 1 || ahead < 0 || ahead >= CELLS)
        return false;
    return s->seen_glyphs[e * CELLS + ahead] == s->fountain_glyph
        && s->thing_of[s->glyphs[e * CELLS + ahead]] == s->boulder;
}

/* Whether any cell did. Line by line, since most steps change cells around the hero alone. */
static bool changed_cells(calm_sight *s, int e, uint8_t *seen, bool *again)
{
    const int16_t *now = s->glyphs + e * CELLS, *before = s->seen_glyphs + e * CELLS;
    bool any = false;
    for (int line = 0; line < CELLS; line += COLS) {
        if (!memcmp(now + line, before + line, COLS * sizeof *now))
            continue;
        any = true;
        for (int c = line; c < line + COLS;) {
            if (c + 4 <= line + COLS && !memcmp(now + c, before + c, 4 * sizeof *now)) {
                c += 4;
                continue;
            }
            if (now[c] != before[c])
                *again |= changed_cell(s, e, c, seen);
            c++;
        }
    }
    put(s, e, s->rows[e].hero, 0);
    return any;
}

static uint64_t hash(const calm_sight *s, const uint8_t *text, int bytes)
{
    uint64_t sum = 0;
    for (int i = 0; i < bytes / 8; i++) {
        uint64_t word;
        memcpy(&word, text + 8 * i, 8);
        sum += word * s->multipliers[i];
    }
    return sum;
}

static void put16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t) value;
    out[1] = (uint8_t) (value >> 8);
}

static bool changed_inventory(calm_sight *s, int e, uint8_t *out)
{
    calm_row *r = s->rows + e;
    const int16_t *now = s->carried + e * INVENTORY;
    int16_t *before = s->seen_carried + e * INVENTORY;
    if (!memcmp(now, before, INVENTORY * sizeof *now))
        return false;
    int more[MAX_KINDS] = { 0 }, first_left = 0;
    bool with_key = false;
    for (int k = 0; k < INVENTORY; k++) {
        more[s->carried_of[now[k]]]++;
        more[s->carried_of[before[k]]]--;
        with_key |= s->carried_of[now[k]] == s->carried_key;
    }
    unsigned entered = 0, left = 0;
    for (int k = MAX_KINDS - 1; k > 0; k--) { /* 0 is an empty place */
        entered |= (unsigned) (more[k] > 0) << k;
        left |= (unsigned) (more[k] < 0) << k;
        if (more[k] < 0)
            first_left = k;
    }
    memcpy(before, now, INVENTORY * sizeof *now);
    r->with_key = with_key;
    put16(out + s->entered_column, entered);
    put16(out + s->left_column, left);
    s->covered[e * CELLS + r->hero] = 0;
    if (entered && s->portable[r->under])
        r->under = 0;
    else if (left)
        r->under = s->lies_as[first_left];
    return true;
}

/* Columns of what is remembered of the status, in this order. */
enum { HP, GOLD, HUNGER, BURDEN, LEVEL, ARMOR, DEPTH, EXPERIENCE, CONDITION };

static void changed_status(calm_sight *s, int e, uint8_t *out)
{
    static const int told[] = { GOLD, LEVEL, ARMOR, DEPTH, EXPERIENCE };
    const int64_t *blstats = s->blstats + e * BLSTATS;
    int64_t *before = s->status + e * s->n_status, now[MAX_KINDS];
    for (int k = 0; k < s->n_status; k++)
        now[k] = blstats[s->status_columns[k]];
    if (!memcmp(now, before, (size_t) s->n_status * sizeof *now))
        return;
    uint8_t *columns = out + s->hp_column; /* HP to EXPERIENCE */
    const int64_t healed = now[HP] - before[HP]; /* one point is the body healing by itself */
    columns[HP] = healed < 0 ? 1 : healed > 1 ? 2 : 0;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        const int k = told[i];
        columns[k] = now[k] < before[k] ? 1 : now[k] > before[k] ? 2 : 0;
    }
    for (int k = HUNGER; k <= BURDEN; k++)
        columns[k] = now[k] != before[k] ? (uint8_t) (now[k] + 1) : 0;
    put16(out + s->gained_column, (unsigned) (now[CONDITION] & ~before[CONDITION]));
    put16(out + s->ended_column, (unsigned) (before[CONDITION] & ~now[CONDITION]));
    memcpy(before, now, (size_t) s->n_status * sizeof *now);
}

/* Clears columns of a signature that follow from another column, see envs/events/signature.py. */
static void drop_what_follows(const calm_sight *s, int e, uint8_t *out)
{
    const uint8_t *entered = out + s->entered_column, *left = out + s->left_column;
    if (out[s->seen_column] & s->opened)
        out[s->closed] = out[s->open] = 0;
    if (out[s->seen_column] & s->pushed)
        out[s->boulder] = 0;
    if (entered[0] | entered[1] | left[0] | left[1])
        for (int k = 1; k < s->kinds; k++)
            if (s->portable[k])
                out[k] = 0;
    const uint8_t level = s->rows[e].levels[s->closed];
    if (entered[0] & 1 << s->carried_key && level)
        out[s->closed] = (uint8_t) (s->state + level);
}

static void over(const calm_sight *s, int e, uint8_t *out)
{
    if (s->how[e] < 0) {
        out[s->end_column] = (uint8_t) s->out_of_time;
        return;
    }
    if (s->blstats[e * BLSTATS + s->status_columns[HP]] > 0) {
        const bool on_stairs = s->rows[e].under == s->stairs;
        out[s->end_column] = (uint8_t) (on_stairs ? s->on_stairs : s->other_end);
        return;
    }
    /* The screen of a dead hero is blank: nothing else is known. */
    const uint8_t action = out[s->action_column];
    uint64_t message;
    memcpy(&message, out + s->message_column, 8);
    memset(out, 0, (size_t) s->width);
    out[s->action_column] = action;
    memcpy(out + s->message_column, &message, 8);
    out[s->end_column] = (uint8_t) s->died;
}

/* Remembers what the game says and asks. */
static uint64_t listen(calm_sight *s, int e)
{
    calm_row *r = s->rows + e;
    const uint8_t *message = s->message + e * MESSAGE;
    if ((r->asked = s->internal[e * INTERNAL + 1] != 0)) {
        memcpy(s->asks + e * MESSAGE, message, MESSAGE);
        r->asked_hash = hash(s, message, MESSAGE);
    }
    return hash(s, s->said + e * s->said_bytes, s->said_bytes);
}

void calm_forget(calm_sight *s, int e)
{
    calm_row *r = s->rows + e;
    static const int around[] = { -80, -79, -78, -1, 1, 78, 79, 80 };
    const int16_t *glyphs = s->glyphs + e * CELLS, *carried = s->carried + e * INVENTORY;
    const int64_t *blstats = s->blstats + e * BLSTATS;
    uint8_t *things = s->things + e * CELLS;
    memcpy(s->seen_glyphs + e * CELLS, glyphs, CELLS * sizeof *glyphs);
    memcpy(s->seen_carried + e * INVENTORY, carried, INVENTORY * sizeof *carried);
    memset(s->covered + e * CELLS, 0, CELLS);
    const int hero = (int) (blstats[1] * COLS + blstats[0]);
    r->x = (int32_t) blstats[0];
    r->y = (int32_t) blstats[1];
    r->hero = hero;
    r->under = 0;
    r->lines = 0;
    memset(r->count, 0, sizeof r->count);
    memset(things, 0, CELLS);
    for (int c = 0; c < CELLS; c++) {
        const int thing = c == hero ? 0 : s->thing_of[glyphs[c]];
        if (thing)
            put(s, e, c, thing);
        s->bed[e * CELLS + c] = thing && (thing == s->water || thing == s->lava);
    }
    r->dry = hero;
    /* The hero hides what it stands on: take the ground next to it. */
    bool room = false, corridor = false;
    for (int k = 0; k < 8; k++) {
        const int c = hero + around[k];
        const int ground = s->ground_of[glyphs[c < 0 ? 0 : c < CELLS ? c : CELLS - 1]];
        room |= ground == s->room;
        corridor |= ground == s->corridor;
    }
    r->ground = (uint8_t) (corridor && !room ? s->corridor : s->room);
    r->with_key = 0;
    for (int k = 0; k < INVENTORY; k++)
        r->with_key |= s->carried_of[carried[k]] == s->carried_key;
    for (int k = 0; k < s->n_status; k++)
        s->status[e * s->n_status + k] = blstats[s->status_columns[k]];
    nearest(s, e, r->levels);
    listen(s, e);
}

void calm_see(calm_sight *s, int e)
{
    calm_row *r = s->rows + e;
    uint8_t *out = s->signatures + e * s->width, seen = 0;
    const int64_t *blstats = s->blstats + e * BLSTATS;
    bool again = false;
    memset(out, 0, (size_t) s->width);
    r->x = (int32_t) blstats[0];
    r->y = (int32_t) blstats[1];
    const int hero = r->y * COLS + r->x;
    const bool moved = hero != r->hero;
    out[s->action_column] = s->action_kinds[s->actions[e]];
    if (r->asked) {
        seen |= (uint8_t) s->asked_bit;
        memcpy(out + s->question_column, &r->asked_hash, 8);
        memcpy(s->questions + e * MESSAGE, s->asks + e * MESSAGE, MESSAGE);
    }
    if (moved) { /* where the hero stands now, as the map showed it before */
        const int shown = s->seen_glyphs[e * CELLS + hero];
        int under = s->thing_of[shown];
        seen |= (uint8_t) s->moved;
        if (under == s->boulder || under == s->monster) {
            if (under == s->boulder) {
                seen |= (uint8_t) s->pushed;
                out[s->on_fountain_column] = onto_fountain(s, e, hero);
                again = true;
            }
            under = s->covered[e * CELLS + hero];
        }
        r->under = (uint8_t) under;
        const uint8_t ground = s->ground_of[shown];
        if (ground && ground != r->ground)
            out[s->ground_column] = r->ground = ground;
        const uint8_t *bed = s->bed + e * CELLS;
        if (!bed[hero]) {
            if (bed[r->hero] && over_bed(bed, r->dry, hero))
                seen |= (uint8_t) s->crossed;
            r->dry = hero;
        }
        r->hero = hero;
    }
    const bool changed = changed_cells(s, e, &seen, &again);
    const bool carries = changed_inventory(s, e, out);
    changed_status(s, e, out);
    if (r->with_key)
        seen |= (uint8_t) s->with_key_bit;
    out[s->seen_column] = seen;
    if (moved || changed || carries) /* else all is as near as it was */
        look(s, e);
    const uint64_t heard = listen(s, e);
    memcpy(out + s->message_column, &heard, 8);
    if (again || carries)
        drop_what_follows(s, e, out);
    if (s->how[e])
        over(s, e, out);
}

void calm_lose_sight(calm_sight *s, int e)
{
    uint8_t *out = s->signatures + e * s->width;
    memset(out, 0, (size_t) s->width);
    out[s->action_column] = s->action_kinds[s->actions[e]];
    out[s->end_column] = (uint8_t) s->out_of_time;
}

void calm_see_all(calm_sight *s)
{
    for (int e = 0; e < s->n; e++)
        calm_see(s, e);
}

void calm_forget_some(calm_sight *s, const int64_t *rows, int n)
{
    for (int i = 0; i < n; i++)
        calm_forget(s, (int) rows[i]);
}
