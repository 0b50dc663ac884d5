/* What the parts share that draw the levels of minigrid's grids; see native.py. */
#ifndef CALM_GRIDS_H
#define CALM_GRIDS_H

#include <stdbool.h>
#include <stdint.h>

enum { MOST_COLUMNS = 80, MOST_ROWS = 40, MOST_ROOMS = 32, MOST_WORDS = 1 << 20 };
enum { ROOMS, CROSSINGS };                   /* kinds of grids */
enum { EMPTY, WALL, DOOR, LAVA, GOAL };      /* what a cell holds */

/* What fixes the levels of a task; native.py has the same list and says what the fields mean. */
typedef struct {
    int32_t kind, width, height;
    int32_t least_rooms, most_rooms, largest_room;
    int32_t crossings, obstacle;
    int32_t wall, door_state, monsters, traps;
} calm_grid_task;

/* numpy's default generator. `left` are the words that it may give still. */
typedef struct {
    unsigned __int128 state, increment;
    uint32_t upper;
    int32_t has_upper, left;
} calm_random;

typedef struct {
    int width, height;
    int x, y; /* where the hero starts */
    uint8_t cells[MOST_ROWS][MOST_COLUMNS];
} calm_grid;

/* random.c */
void calm_seed(calm_random *r, uint64_t seed);
bool calm_spent(const calm_random *r);
uint32_t calm_below(calm_random *r, uint32_t size);
uint32_t calm_up_to(calm_random *r, uint32_t most);
int calm_between(calm_random *r, int low, int high);

/* rooms.c, crossings.c: draw a grid; whether they could. */
bool calm_draw_rooms(const calm_grid_task *t, calm_random *r, calm_grid *g);
bool calm_draw_crossings(const calm_grid_task *t, calm_random *r, calm_grid *g);

/* level.c */
int calm_write_level(const calm_grid_task *t, const calm_grid *g, uint8_t *out, int capacity);

/* grids.c */
bool calm_put(calm_grid *g, int x, int y, int what);
int calm_grid_level(const calm_grid_task *t, uint64_t seed, uint8_t *out, int capacity);

#endif
