/* A quicker recalc_mapseen: what NetHack notes of the dungeon whenever the hero's sight changes. */
#define _GNU_SOURCE
#include "calm.h"

#include <dlfcn.h>
#include <string.h>

/* Whenever NetHack has found out what the hero sees, recalc_mapseen goes through all 1,680 cells of
 * the level: it notes what each cell in sight is made of (lastseentyp), and counts fountains, altars
 * and such for the overview of the dungeon. That was 43 % of a step's instructions in KeyRoom-S5.
 * Here only the cells in sight are gone through. The counts wait: the two functions that may read
 * them, show_overview and goto_level, call recalc_mapseen themselves first, and it counts anew each
 * time. Left to NetHack is what a count leaves for a later one (who tends a shop or a temple, an
 * oracle's room, graves of earlier heroes), and what is no plain cell (a drawbridge, a monster that
 * looks like furniture, a hero who feels where he can't see). If a build of the library has another
 * layout, all is. */
enum { WIDTH = 80, HEIGHT = 21, ROOMS = 82, HERO_BYTES = 0x958 };
enum { IN_SIGHT = 2, DRAWBRIDGE_UP = 19, FURNITURE = 1, DELPHI = 9, FIRST_ROOM = 3 };

typedef struct {
    int glyph;
    int8_t type;
    uint8_t seen_from;
    uint16_t flags;
} cell;

typedef struct {
    uint8_t before[0x34], looks_like; /* and more */
} monster;

typedef struct {
    cell cells[WIDTH][HEIGHT];
    void *objects[WIDTH][HEIGHT];
    monster *monsters[WIDTH][HEIGHT];
    void *lists[4], *bones;
    uint8_t flags[8];
} level;

typedef struct {
    int8_t bounds[4], kind, first_kind;
    uint8_t after[210];
} room;

typedef struct {
    int8_t x, y;
    uint8_t before[38];
    int8_t rooms[5]; /* in which the hero is: FIRST_ROOM and up, or 0 */
} hero;

/* A variable of the copy, or NULL where it is of another size. */
static void *variable(const calm_library *l, const char *name, size_t bytes)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *there = dlsym(l->handle, name);
    if (!there || !dladdr1(there, &info, (void **) &symbol, RTLD_DL_SYMENT) || !symbol)
        return NULL;
    return symbol->st_size == bytes ? there : NULL;
}

void calm_find_overview(calm_library *l)
{
    l->see = (void (*)(int)) dlsym(l->handle, "vision_recalc");
    l->count = (void (*)(void)) dlsym(l->handle, "recalc_mapseen");
    l->sight = variable(l, "viz_array", sizeof(char **));
    l->level = variable(l, "level", sizeof(level));
    l->rooms = variable(l, "rooms", ROOMS * sizeof(room));
    l->hero = variable(l, "u", HERO_BYTES);
    l->types = variable(l, "lastseentyp", WIDTH * HEIGHT);
}

/* Whether a count leaves nothing for a later one. */
static bool leaves_nothing(const level *here, const room *rooms, const hero *u)
{
    for (size_t i = 0; i < sizeof u->rooms; i++) {
        if (!u->rooms[i])
            continue;
        const int k = u->rooms[i] - FIRST_ROOM;
        if (k < 0 || k >= ROOMS || rooms[k].kind >= DELPHI || rooms[k].first_kind >= DELPHI)
            return false;
    }
    return !here->bones;
}

/* Notes what a cell in sight is made of; false if it is no plain one. */
static bool note(const level *here, int x, int y, int8_t types[WIDTH][HEIGHT])
{
    const monster *m = here->monsters[x][y];
    if (here->cells[x][y].type == DRAWBRIDGE_UP || (m && (m->looks_like & 7) == FURNITURE))
        return false;
    types[x][y] = here->cells[x][y].type;
    return true;
}

/* Notes what the cells in sight are made of; false if there is more to be done. */
static bool note_all(const calm_library *l)
{
    if (!l->sight || !l->level || !l->rooms || !l->hero || !l->types)
        return false;
    const uint8_t *const *rows = *(const uint8_t *const *const *) l->sight;
    const hero *u = l->hero;
    if (!(rows[u->y][u->x] & IN_SIGHT) || !leaves_nothing(l->level, l->rooms, u))
        return false;
    for (int y = 0; y < HEIGHT; y++)
        for (int eighth = 0; eighth < WIDTH; eighth += 8) {
            uint64_t eight;
            memcpy(&eight, rows[y] + eighth, sizeof eight);
            if (!(eight & UINT64_C(0x0202020202020202)))
                continue;
            for (int x = eighth ? eighth : 1; x < eighth + 8; x++)
                if (rows[y][x] & IN_SIGHT && !note(l->level, x, y, l->types))
                    return false;
        }
    return true;
}

void calm_see_dungeon(int control)
{
    calm_library *l = calm_playing;
    l->seeing = true;
    l->see(control);
    l->seeing = false;
}

void calm_count_dungeon(void)
{
    calm_library *l = calm_playing;
    if (!l->seeing || !note_all(l))
        l->count();
}
