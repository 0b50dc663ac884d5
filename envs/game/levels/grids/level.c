/* Writes the level that MiniHack makes of a grid as NetHack reads it; ../grid_level.py and
 * ../level_code.py say the same in Python. */
#include "grids.h"

#include <stdlib.h>
#include <string.h>

/* Codes of compiled levels: kinds of values, and what is made of those pushed before. */
enum { PUSH = 40, NUMBER = 1, TEXT = 2, PLACE = 4, AREA = 5, MONSTER_KIND = 7 };
enum {
    MONSTER = 2, PUT_DOOR = 7, STAIR = 8, TRAP = 14, LEVEL_REGION = 17, WALLIFY = 22, MAP = 23,
    REGION = 25, END_REGION = 38, INITIALIZE = 58, FLAGS = 59, POINT = 64
};
enum { TELEPORT_TRAP = 15, ANYWHERE = 1 << 24 };
enum { MOST_DOORS = MOST_ROOMS };

typedef struct {
    int x, y;
} place;

/* A grid as MiniHack reads it. */
typedef struct {
    char map[MOST_ROWS * MOST_COLUMNS]; /* in MiniHack's characters */
    int rows, doors;
    bool has_goal;
    place start, goal, door[MOST_DOORS];
} level;

/* A level while it is written. */
typedef struct {
    uint8_t *out;
    int64_t operations;
    int used, capacity;
    bool full;
} writer;

/* Turns the outermost floor of a row into rock: as many cells as stand before the first wall. */
static void trim(char *row, int width, int wall, int step)
{
    char *first = step > 0 ? row : row + width - 1;
    int before = 0;
    while (first[before * step] != wall)
        before++;
    for (int i = 0; i < width && before; i++)
        if (first[i * step] == '.') {
            first[i * step] = ' ';
            before--;
        }
}

/* Reads a grid; false where it is none that MiniHack can read. */
static bool read_grid(const calm_grid_task *t, const calm_grid *g, level *l)
{
    const char signs[] = {[EMPTY] = '.', [WALL] = (char) t->wall, [DOOR] = '+', [LAVA] = 'L',
                          [GOAL] = '.'};
    int above = 0;
    bool begun = false;
    *l = (level) {0};
    for (int y = 0; y < g->height; y++) {
        char *row = l->map + l->rows * g->width;
        bool empty = true;
        for (int x = 0; x < g->width; x++) {
            int cell = g->cells[y][x];
            row[x] = signs[cell];
            empty &= cell == EMPTY;
            if (cell == DOOR && l->doors == MOST_DOORS)
                return false;
            if (cell == DOOR)
                l->door[l->doors++] = (place) {x, y - above};
            if (cell == GOAL) {
                l->goal = (place) {x, y - above};
                l->has_goal = true;
            }
        }
        begun |= !empty;
        above += !begun;
        size_t floor = 0;
        while (floor < (size_t) g->width && row[floor] == '.')
            floor++;
        if (y == g->height - 1 || floor == (size_t) g->width)
            continue;
        if (!memchr(row, t->wall, (size_t) g->width))
            return false;
        trim(row, g->width, t->wall, 1);
        trim(row, g->width, t->wall, -1);
        l->rows++;
    }
    l->start = (place) {g->x, g->y - above};
    return l->rows > 0;
}

static void append(writer *w, const void *bytes, int n)
{
    if (w->capacity - w->used < n) {
        w->full = true;
        return;
    }
    memcpy(w->out + w->used, bytes, (size_t) n);
    w->used += n;
}

static void operation(writer *w, int32_t code)
{
    append(w, &code, sizeof code);
    w->operations++;
}

static void push(writer *w, int8_t kind, int64_t value)
{
    operation(w, PUSH);
    append(w, &kind, sizeof kind);
    append(w, &value, sizeof value);
}

static void push_text(writer *w, const char *text, int32_t length)
{
    const int8_t kind = TEXT;
    operation(w, PUSH);
    append(w, &kind, sizeof kind);
    append(w, &length, sizeof length);
    append(w, text, length);
}

/* Pushes numbers, and says what is made of them. */
static void make(writer *w, int32_t code, int n, const int *numbers)
{
    for (int i = 0; i < n; i++)
        push(w, NUMBER, numbers[i]);
    operation(w, code);
}

#define MAKE(w, code, ...)                                                                         \
    make(w, code, sizeof (int[]) {__VA_ARGS__} / sizeof (int), (int[]) {__VA_ARGS__})

static void push_place(writer *w, place at)
{
    push(w, PLACE, at.x | (int64_t) at.y << 16);
}

/* Writes the map: types of NetHack's terrain, one more than its own numbers. */
static void write_map(writer *w, level *l, int width)
{
    static const char terrain[256] = {[' '] = 1, ['|'] = 2, ['+'] = 23, ['L'] = 21, ['.'] = 25};
    for (int i = 0; i < l->rows * width; i++)
        l->map[i] = terrain[(uint8_t) l->map[i]];
    push_text(w, l->map, l->rows * width);
    MAKE(w, MAP, l->rows, width);
    push(w, AREA, (int64_t) width << 16 | (int64_t) l->rows << 24);
    MAKE(w, REGION, 1, 0, 1);
    operation(w, END_REGION);
}

/* Writes where the hero starts: there, and not at a place that is another one. */
static void write_start(writer *w, place start)
{
    const place places[] = {start, {abs(start.x - 1), abs(start.y - 1)}};
    for (int i = 0; i < 2; i++) {
        const int area[] = {places[i].x, places[i].y, places[i].x, places[i].y, 0};
        for (int j = 0; j < 5; j++)
            push(w, NUMBER, area[j]);
    }
    push(w, NUMBER, 3);
    push(w, NUMBER, 0);
    push_text(w, "", 0);
    operation(w, LEVEL_REGION);
}

/* Writes the compiled level without its version; returns its bytes, or -1 where there is none. */
int calm_write_level(const calm_grid_task *t, const calm_grid *g, uint8_t *out, int capacity)
{
    level l;
    writer w = {.out = out, .capacity = capacity, .used = sizeof w.operations};
    if (!read_grid(t, g, &l) || capacity < w.used)
        return -1;
    MAKE(&w, INITIALIZE, 1, 127, 0, 0, 0, 0, 0, 0);
    MAKE(&w, FLAGS, ' ');
    MAKE(&w, FLAGS, 2);
    MAKE(&w, INITIALIZE, 1, 0, 0, -2, 0, 0, 0, 0);
    push(&w, PLACE, 3 | 3 << 16);
    push(&w, NUMBER, 1);
    push(&w, NUMBER, 1);
    write_map(&w, &l, g->width);
    if (l.has_goal)
        push_place(&w, l.goal);
    else
        push(&w, PLACE, ANYWHERE);
    MAKE(&w, STAIR, 0);
    write_start(&w, l.start);
    for (int i = 0; i < l.doors; i++) {
        push_place(&w, l.door[i]);
        operation(&w, POINT);
        MAKE(&w, PUT_DOOR, t->door_state);
    }
    push(&w, AREA, 0xFFFFFFFF);
    MAKE(&w, WALLIFY, 0);
    for (int i = 0; i < t->monsters && !w.full; i++) {
        push(&w, MONSTER_KIND, -1);
        push(&w, PLACE, ANYWHERE);
        MAKE(&w, MONSTER, 16, 0);
    }
    for (int i = 0; i < t->traps && !w.full; i++) {
        push(&w, PLACE, ANYWHERE);
        MAKE(&w, TRAP, TELEPORT_TRAP);
    }
    memcpy(out, &w.operations, sizeof w.operations);
    return w.full ? -1 : w.used;
}
