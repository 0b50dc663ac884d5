/* What a player sees of a step, see sight.c. */
#ifndef CALM_SIGHT_H
#define CALM_SIGHT_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_KINDS = 16 };

/* The small things that are remembered of a row, in cache lines of their own: other rows may be
 * looked at by other processes. */
typedef struct {
    _Alignas(64) int32_t x;
    int32_t y, hero, dry;
    uint32_t lines; /* bit y: there may be things told finely in line y */
    uint64_t asked_hash;
    uint8_t under, ground, with_key, asked;
    uint8_t levels[MAX_KINDS];
    uint16_t count[MAX_KINDS]; /* of things of a kind; of 0 it means nothing */
} calm_row;

_Static_assert(sizeof(calm_row) == 128, "envs/native/sight.py");

/* envs/native/sight.py has the same structure in ctypes. */
typedef struct {
    int32_t n, said_bytes, kinds, width, n_status;
    /* Columns of a signature, bits of its column `seen`, kinds of things, ways to end. */
    int32_t action_column, seen_column, ground_column, end_column, hp_column;
    int32_t entered_column, left_column, gained_column, ended_column, on_fountain_column;
    int32_t message_column, question_column;
    int32_t moved, with_key_bit, opened, pushed, water_filled, lava_filled, asked_bit, crossed;
    int32_t closed, open, boulder, monster, water, lava, key, stairs, in_hand, state;
    int32_t fountain_glyph, carried_key, room, corridor;
    int32_t on_stairs, died, out_of_time, other_end;
    /* From here on there are pointers alone. Tables. */
    const uint8_t *thing_of, *ground_of, *passable, *solid, *level_of, *change_of, *carried_of;
    const uint8_t *portable, *lies_as, *fine;
    const uint8_t *action_kinds;
    const uint64_t *multipliers;
    const int64_t *status_columns;
    /* s', the actions, and how the step ended the episode: 0 not, > 0 by itself, < 0 cut. */
    const int16_t *glyphs, *carried;
    const int64_t *blstats, *actions;
    const uint8_t *message, *said; /* the last of the step, and the last or all, `said_bytes` each */
    const int32_t *internal;
    const int8_t *how;
    /* What was seen before. */
    int16_t *seen_glyphs, *seen_carried;
    uint8_t *things, *covered, *bed, *asks;
    int64_t *status;
    calm_row *rows;
    /* Out. */
    uint8_t *signatures, *questions;
} calm_sight;

/* Fills the signature of row e with what its step changed; the arrays hold s'. */
void calm_see(calm_sight *s, int e);
/* The game of row e is gone: nothing was seen of the step. */
void calm_lose_sight(calm_sight *s, int e);
/* Forgets what row e had seen; the arrays hold its first observation. */
void calm_forget(calm_sight *s, int e);

#endif
