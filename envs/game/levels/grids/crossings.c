/* Draws a room crossed by rivers, as minigrid 3's CrossingEnv: rows and columns of lava or wall,
 * with openings that let through one way from corner to corner. */
#include "grids.h"

#include <string.h>

enum { ACROSS, DOWN }; /* the way of a river */
enum { MOST_RIVERS = MOST_COLUMNS / 2 + MOST_ROWS / 2 };

typedef struct {
    int way, at;
} river;

/* Puts rivers into an order of chance. */
static void shuffle(calm_random *r, river *rivers, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int) calm_up_to(r, (uint32_t) i);
        river here = rivers[i];
        rivers[i] = rivers[j];
        rivers[j] = here;
    }
}

/* Writes where the rivers of one way are, in order, between the room's two walls; returns their
 * number. */
static int find_limits(const river *rivers, int n, int way, int wall, int *limits)
{
    int n_limits = 0;
    limits[0] = 0;
    for (int at = 2; at < wall; at += 2)
        for (int i = 0; i < n; i++)
            if (rivers[i].way == way && rivers[i].at == at)
                limits[++n_limits] = at;
    limits[n_limits + 1] = wall;
    return n_limits;
}

bool calm_draw_crossings(const calm_grid_task *t, calm_random *r, calm_grid *g)
{
    int width = g->width, height = g->height;
    for (int x = 0; x < width; x++)
        if (!calm_put(g, x, 0, WALL) || !calm_put(g, x, height - 1, WALL))
            return false;
    for (int y = 0; y < height; y++)
        if (!calm_put(g, 0, y, WALL) || !calm_put(g, width - 1, y, WALL))
            return false;
    g->x = g->y = 1;
    if (!calm_put(g, width - 2, height - 2, GOAL))
        return false;

    river rivers[MOST_RIVERS];
    int n = 0;
    for (int at = 2; at < height - 2; at += 2)
        rivers[n++] = (river) {DOWN, at};
    for (int at = 2; at < width - 2; at += 2)
        rivers[n++] = (river) {ACROSS, at};
    shuffle(r, rivers, n);
    if (n > t->crossings)
        n = t->crossings;
    int columns[MOST_RIVERS + 2], rows[MOST_RIVERS + 2];
    int down = find_limits(rivers, n, DOWN, height - 1, columns);
    int across = find_limits(rivers, n, ACROSS, width - 1, rows);
    for (int i = 1; i <= across; i++)
        for (int x = 1; x < width - 1; x++)
            if (!calm_put(g, x, rows[i], t->obstacle))
                return false;
    for (int i = 1; i <= down; i++)
        for (int y = 1; y < height - 1; y++)
            if (!calm_put(g, columns[i], y, t->obstacle))
                return false;

    /* The way to the goal: which river is crossed next, and where. */
    for (int i = 0; i < n; i++)
        rivers[i].way = i < down ? ACROSS : DOWN;
    shuffle(r, rivers, n);
    for (int i = 0, column = 0, line = 0; i < n; i++) {
        int x, y;
        if (rivers[i].way == ACROSS) {
            y = calm_between(r, rows[line] + 1, rows[line + 1]);
            x = columns[++column];
        } else {
            x = calm_between(r, columns[column] + 1, columns[column + 1]);
            y = rows[++line];
        }
        if (!calm_put(g, x, y, EMPTY))
            return false;
    }
    return !calm_spent(r);
}
