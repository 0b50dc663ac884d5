/* Draws rooms in a row, as minigrid 3's MultiRoomEnv: a door leads from each to the next, the hero
 * starts in the first, and the goal is in the last. */
#include "grids.h"

enum { EAST, SOUTH, WEST, NORTH };
enum { SMALLEST_ROOM = 4, TRIES = 8, COLORS = 6 };

typedef struct {
    int x, y, width, height;
    int door_x, door_y; /* from the room before; of the first room its corner */
} room;

typedef struct {
    int n;
    room rooms[MOST_ROOMS];
} row;

static bool fits(const calm_grid *g, const row *placed, const room *new)
{
    if (new->x < 0 || new->y < 0 || new->x + new->width > g->width
        || new->y + new->height >= g->height)
        return false;
    for (int i = 0; i < placed->n - 1; i++) { /* the last shares a wall with it */
        const room *old = &placed->rooms[i];
        if (new->x + new->width >= old->x && old->x + old->width > new->x
            && new->y + new->height >= old->y && old->y + old->height > new->y)
            return false;
    }
    return true;
}

/* Adds a room and, behind it, as many of the other `left - 1` as find a place; whether it could. */
static bool add_rooms(const calm_grid_task *t, calm_random *r, const calm_grid *g, row *placed,
                      int left, int entry, int door_x, int door_y)
{
    room new = {door_x, door_y, .door_x = door_x, .door_y = door_y};
    new.width = calm_between(r, SMALLEST_ROOM, t->largest_room + 1);
    new.height = calm_between(r, SMALLEST_ROOM, t->largest_room + 1);
    if (placed->n) {
        if (entry == EAST)
            new.x -= new.width - 1;
        if (entry == SOUTH)
            new.y -= new.height - 1;
        if (entry == EAST || entry == WEST)
            new.y = calm_between(r, door_y - new.height + 2, door_y);
        else
            new.x = calm_between(r, door_x - new.width + 2, door_x);
    }
    if (calm_spent(r) || placed->n >= MOST_ROOMS || !fits(g, placed, &new))
        return false;
    placed->rooms[placed->n++] = new;
    if (left == 1)
        return true;
    for (int i = 0; i < TRIES && !calm_spent(r); i++) {
        int way = (int) calm_below(r, 3); /* one of the other three walls */
        way += way >= entry;
        bool sideways = way == EAST || way == WEST;
        int along = calm_between(r, 1, (sideways ? new.height : new.width) - 1);
        int x = way == EAST ? new.x + new.width - 1 : way == WEST ? new.x : new.x + along;
        int y = way == SOUTH ? new.y + new.height - 1 : way == NORTH ? new.y : new.y + along;
        if (add_rooms(t, r, g, placed, left - 1, (way + 2) % 4, x, y))
            break;
    }
    return true;
}

static bool put_walls(calm_grid *g, const room *at)
{
    bool inside = true;
    for (int i = 0; i < at->width; i++)
        inside &= calm_put(g, at->x + i, at->y, WALL)
                  & calm_put(g, at->x + i, at->y + at->height - 1, WALL);
    for (int i = 0; i < at->height; i++)
        inside &= calm_put(g, at->x, at->y + i, WALL)
                  & calm_put(g, at->x + at->width - 1, at->y + i, WALL);
    return inside;
}

/* Picks an empty cell of a room, which lies within the grid. */
static void pick_cell(calm_random *r, const calm_grid *g, const room *in, int *x, int *y)
{
    do {
        *x = calm_between(r, in->x, in->x + in->width);
        *y = calm_between(r, in->y, in->y + in->height);
    } while ((g->cells[*y][*x] != EMPTY || (*x == g->x && *y == g->y)) && !calm_spent(r));
}

bool calm_draw_rooms(const calm_grid_task *t, calm_random *r, calm_grid *g)
{
    row rooms = {0};
    int n = calm_between(r, t->least_rooms, t->most_rooms + 1);
    while (rooms.n < n) {
        row placed = {0};
        int x = calm_between(r, 0, g->width - 2);
        int y = calm_between(r, 0, g->width - 2); /* not the height: minigrid's own choice */
        add_rooms(t, r, g, &placed, n, WEST, x, y);
        if (calm_spent(r))
            return false;
        if (placed.n > rooms.n)
            rooms = placed;
    }
    for (int i = 0; i < n; i++) {
        const room *at = &rooms.rooms[i];
        if (!put_walls(g, at))
            return false;
        if (i == 0)
            continue;
        calm_below(r, i == 1 ? COLORS : COLORS - 1); /* another color than that of the last door */
        if (!calm_put(g, at->door_x, at->door_y, DOOR))
            return false;
    }
    int x, y;
    g->x = g->y = -1;
    pick_cell(r, g, &rooms.rooms[0], &x, &y);
    g->x = x;
    g->y = y;
    calm_below(r, 4); /* the way that the hero looks */
    pick_cell(r, g, &rooms.rooms[n - 1], &x, &y);
    return calm_put(g, x, y, GOAL) && !calm_spent(r);
}
