/* What a copy of nle's library calls in place of its own functions and libc's, so that a level seed
 * and the actions fix the episode: whatever is observed, whenever it is played. */
#include "calm.h"

#include <string.h>

/* --- descriptions of the screen -------------------------------------------------------------- */

/* MiniHack always has nle describe every cell that changes on the map. To describe an object that
 * is remembered where it no longer lies, NetHack makes one, and for that it draws random numbers;
 * seen from beside it, an object becomes known. So the engine is always given a place for
 * descriptions. Where nobody reads them, cells that leave no trace are not described, and nothing is
 * copied. If a build of the library calls these functions in another way, games are the same, and
 * slower. */
uint8_t calm_unread[21 * 79 * 80];

enum { MONSTERS = 381, FEATURES = 2359, TRAPS = 2359 + 42 }; /* first glyphs, or past the last */

/* Whether describing this cell changes nothing: bare features of the dungeon, and the hero in its
 * own shape. In another it may hide under an object, and traps may be hallucinated. */
static bool leaves_no_trace(calm_library *l, int x, int y, int glyph)
{
    if (glyph >= FEATURES && glyph < TRAPS)
        return true;
    if (!l->hero_at || x != l->hero_at[0] || y != l->hero_at[1])
        return false;
    if (l->hero_glyph < 0 && glyph < MONSTERS)
        l->hero_glyph = glyph;
    return glyph == l->hero_glyph;
}

void calm_describe(void *window, int x, int y, int glyph)
{
    calm_library *l = calm_playing;
    if (l->read || !leaves_no_trace(l, x, y, glyph))
        l->describe(window, x, y, glyph);
}

void *calm_memcpy(void *to, const void *from, size_t bytes)
{
    return to == calm_unread ? to : memcpy(to, from, bytes);
}

/* --- the clock ------------------------------------------------------------------------------- */

/* NetHack takes names of shopkeepers, prices and kinds of ants from the second in which a game
 * begins. For us it is always the first one of 1970, as in envs/game/clock.py. (Moon and night
 * follow the level seed, see fix_moon_phase.) */
time_t calm_time(time_t *out)
{
    if (out)
        *out = 0;
    return 0;
}
