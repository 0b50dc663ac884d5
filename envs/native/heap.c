/* What a copy of nle's library takes from the heap: its malloc, calloc, realloc and free. */
#include "calm.h"

#include <stdlib.h>
#include <string.h>

/* NetHack leaves 2 to 3 kB an episode on the heap. So the blocks that a copy takes are listed, and a
 * rewind frees those that are left. Nothing points at them then: what `before` holds is older than
 * all of them, and neither libc nor libstdc++ keeps a block that it is shown. What those two take
 * themselves, for C++'s `new` too, is not listed. */
#define MARK 0xca13b10cca13b10cu
_Thread_local calm_library *calm_playing;

void calm_plays(calm_library *l)
{
    calm_playing = l;
}

static void *list(calm_block *b, calm_block *before)
{
    if (!b)
        return NULL;
    b->mark = MARK;
    b->before = before;
    b->after = before->after;
    b->before->after = b->after->before = b;
    return b + 1;
}

static void strike(calm_block *b)
{
    b->before->after = b->after;
    b->after->before = b->before;
}

/* Its block if it is listed. For one that libc has made, glibc's size stands in the mark's place. */
static calm_block *listed(void *p)
{
    calm_block *b = p ? (calm_block *) p - 1 : NULL;
    return b && b->mark == MARK ? b : NULL;
}

void *calm_malloc(size_t bytes)
{
    if (!calm_playing || bytes > SIZE_MAX - sizeof(calm_block))
        return malloc(bytes);
    return list(malloc(sizeof(calm_block) + bytes), &calm_playing->blocks);
}

void *calm_calloc(size_t n, size_t bytes)
{
    void *p = __builtin_mul_overflow(n, bytes, &bytes) ? NULL : calm_malloc(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void calm_free(void *p)
{
    calm_block *b = listed(p);
    if (b)
        strike(b);
    free(b ? (void *) b : p);
}

void *calm_realloc(void *p, size_t bytes)
{
    calm_block *b = listed(p);
    if (!b)
        return p ? realloc(p, bytes) : calm_malloc(bytes);
    if (bytes > SIZE_MAX - sizeof(calm_block))
        return NULL;
    calm_block *before = b->before;
    strike(b);
    calm_block *moved = realloc(b, sizeof(calm_block) + bytes);
    if (moved)
        return list(moved, before);
    list(b, before);
    return NULL;
}

void calm_free_blocks(calm_library *l)
{
    while (l->blocks.after != &l->blocks)
        calm_free(l->blocks.after + 1);
}
