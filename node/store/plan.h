/*
 * plan.h - what a COORDINATE, MERGE or PROJECT is about to write for one key.
 *
 * A request makes its plan first: it loads what it needs and computes what the key's object, its
 * row and the intents will be. Only a plan that is whole is set in the batch.
 */
#ifndef NODE_STORE_PLAN_H
#define NODE_STORE_PLAN_H

#include "node/store/apply.h"
#include "node/store/batch.h"

struct plan {
    struct store_state *state;
    struct batch *batch;
    struct slice key;
    uint64_t wall_us;
    struct object *object; /* the copy after it, one reference; NULL if there is none */
    struct object *row;    /* the same for its row */
    uint64_t stamp;        /* for all intents of this request; 0: none taken yet */
    size_t object_index;   /* entries of the batch, each with the flag below */
    size_t row_index;
    size_t names_index;
    size_t row_intent_index;
    size_t self_index;
    size_t parent_index;
    bool sync;        /* what is merged is written even if it is unchanged */
    bool over_damage; /* what cannot be read is taken for nothing */
    bool has_object;
    bool has_row;
    bool has_row_intent;
    uint64_t names_us;   /* what the directory's record is to be; 0: it stays */
    bool revives_self;   /* the key is a directory that is not live */
    bool revives_parent; /* a live row under a directory that is not live */
};

void plan_release(struct plan *plan);
/* Loads the object or the row for a write, which may go over what cannot be read. */
MUST_CHECK enum status plan_load(const struct plan *plan, enum merkle_part part,
                                 size_t *ret_index);
/* Merges the projection of `incoming` into the key's row. */
MUST_CHECK enum status plan_row(struct plan *plan, struct object *incoming);
/* The duty to push the key's row. */
MUST_CHECK enum status plan_row_intent(struct plan *plan);
/*
 * A live row revives its directory, in whichever order the two arrive: so both the row that
 * meets a directory that is not live, and the directory that stops being live, leave an intent.
 * The root is always there.
 */
MUST_CHECK enum status plan_revival(struct plan *plan);
/* Sets what was planned, and says so in the result. */
void plan_carry_out(const struct plan *plan, struct store_result *result);

#endif
