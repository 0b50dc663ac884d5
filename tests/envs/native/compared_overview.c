/* overview.c, whose result is compared with that of NetHack's own function in every call. */
#define calm_count_dungeon count_quickly
#include "overview.c"
#undef calm_count_dungeon

uint64_t calm_compared, calm_left, calm_wrong;

void calm_count_dungeon(void)
{
    calm_library *l = calm_playing;
    int8_t before[WIDTH * HEIGHT], ours[WIDTH * HEIGHT];
    if (!l->seeing) {
        count_quickly();
        return;
    }
    memcpy(before, l->types, sizeof before);
    const bool done = note_all(l);
    memcpy(ours, l->types, sizeof ours);
    memcpy(l->types, before, sizeof before);
    l->count();
    calm_compared += done;
    calm_left += !done;
    calm_wrong += done && memcmp(l->types, ours, sizeof ours);
}
