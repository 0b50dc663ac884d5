/* Whether a step reaches its task's goal, and what it pays; see envs/game/goal.py, which says the
 * same in Python. */
#define _GNU_SOURCE
#include "calm.h"

#include <string.h>

enum { MESSAGE, DEED, STAIRS }; /* kinds of conditions */
enum { MESSAGE_BYTES = 256, YES = 'y', NO_KEY = 0 };

bool calm_says(const char *message, const char *text)
{
    return memmem(message, MESSAGE_BYTES, text, strlen(text)) != NULL;
}

static bool says_one(const char *message, const char *texts)
{
    for (; *texts; texts += strlen(texts) + 1)
        if (calm_says(message, texts))
            return true;
    return false;
}

static bool shows(const int16_t *glyphs, int glyph)
{
    for (int i = 0; i < CELLS; i++)
        if (glyphs[i] == glyph)
            return true;
    return false;
}

/* How much of what has to be gone is left: cells that show it, or that did at first and do not show
 * what has to cover it. Few do, and this is looked at in every step. */
static int count(const calm_header *h, const calm_progress *p, void *const *keys)
{
    const uint8_t *chars = keys[K_CHARS];
    int n = 0;
    for (int i = 0; i < p->n_to_cover; i++)
        n += chars[p->to_cover[i]] != h->covered_by;
    if (h->to_be_gone && !h->covered_by)
        for (const uint8_t *c = chars; (c = memchr(c, h->to_be_gone, CELLS - (size_t) (c - chars)));
             c++)
            n++;
    return n;
}

static bool holds(const calm_condition *c, calm_progress *p, uint32_t bit, void *const *keys,
                  int key)
{
    if (c->kind == STAIRS)
        return ((const int32_t *) keys[K_INTERNAL])[4];
    if (c->kind == MESSAGE)
        return says_one(keys[K_MESSAGE], c->texts);
    if (key == c->key && !shows(keys[K_GLYPHS], c->place)) {
        p->begun |= bit;
        return false;
    }
    if (key != YES)
        p->begun &= ~bit;
    return p->begun & bit;
}

static bool meets_conditions(const calm_header *h, calm_progress *p, void *const *keys, int key)
{
    bool enough = false, all = true;
    for (int i = 0; i < h->n_conditions; i++) {
        const calm_condition *c = &h->conditions[i];
        const uint32_t bit = 1u << i;
        if (!(p->achieved & bit) && holds(c, p, bit, keys, key)) {
            p->earned += c->reward;
            if (!c->repeatable)
                p->achieved |= bit;
        }
        const bool achieved = p->achieved & bit;
        enough |= achieved && c->sufficient;
        all &= achieved || !c->required;
    }
    return enough || all;
}

void calm_begin_goal(const calm_header *h, calm_progress *p, void *const *keys)
{
    const uint8_t *chars = keys[K_CHARS];
    *p = (calm_progress){ 0 };
    for (int i = 0; h->covered_by && i < CELLS; i++)
        if (chars[i] == h->to_be_gone)
            p->to_cover[p->n_to_cover++] = (int16_t) i;
    p->left = count(h, p, keys);
    calm_reached(h, p, keys, NO_KEY); /* MiniHack looks at the first observation too */
}

bool calm_reached(const calm_header *h, calm_progress *p, void *const *keys, int key)
{
    const bool on_stairs = ((const int32_t *) keys[K_INTERNAL])[4];
    if (h->n_conditions)
        return meets_conditions(h, p, keys, key) || on_stairs;
    const int left = count(h, p, keys);
    p->gone = p->left - left;
    p->left = left;
    return !left && (on_stairs || h->covered_by);
}

double calm_reward(const calm_header *h, calm_progress *p, int status)
{
    if (h->n_conditions) {
        const double earned = p->earned;
        p->earned = 0.0;
        return earned;
    }
    if (status == RUNNING)
        return h->reward_step + p->gone * h->reward_gone;
    return status == WON ? h->reward_win : h->reward_lose;
}
