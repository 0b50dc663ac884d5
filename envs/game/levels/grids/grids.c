/* Draws the grid of a level seed, as minigrid 3 does, and writes its level. */
#include "grids.h"

/* Puts something into a cell; false where the grid has no such cell. */
bool calm_put(calm_grid *g, int x, int y, int what)
{
    if (x < 0 || x >= g->width || y < 0 || y >= g->height)
        return false;
    g->cells[y][x] = (uint8_t) what;
    return true;
}

static bool is_drawable(const calm_grid_task *t)
{
    if (t->width < 5 || t->width > MOST_COLUMNS || t->height < 5 || t->height > MOST_ROWS)
        return false;
    if (t->wall != '|' && t->wall != 'L')
        return false;
    if (t->kind == ROOMS)
        return t->least_rooms >= 1 && t->least_rooms <= t->most_rooms && t->most_rooms <= MOST_ROOMS
               && t->largest_room >= 4 && t->largest_room <= MOST_COLUMNS;
    return t->kind == CROSSINGS && t->width % 2 && t->height % 2 && t->crossings >= 0
           && (t->obstacle == WALL || t->obstacle == LAVA);
}

/* Draws and writes the level of a level seed; returns as `calm_write_level`. */
int calm_grid_level(const calm_grid_task *t, uint64_t seed, uint8_t *out, int capacity)
{
    if (!is_drawable(t))
        return -1;
    calm_random random;
    calm_grid grid = {.width = t->width, .height = t->height};
    calm_seed(&random, seed);
    bool drawn = t->kind == ROOMS ? calm_draw_rooms(t, &random, &grid)
                                  : calm_draw_crossings(t, &random, &grid);
    return drawn ? calm_write_level(t, &grid, out, capacity) : -1;
}
