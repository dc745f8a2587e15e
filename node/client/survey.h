/*
 * survey.h - what of a block set is named by no version, at one moment.
 *
 * Shape:    the set's notes say at which paths versions may name it; each path is read, all its
 *           versions and their maps. What is stored and not among what they name is unnamed. If
 *           there is any, the paths and the notes are read once more: if all of them are as they
 *           were, then there was a moment, between the two readings, at which they were so
 *           together, and a rename from one path to another cannot hide what it moves. Who means
 *           to delete has every member of the cluster asked between the two (kv_settled): then
 *           nothing that was acknowledged before that moment is missed, wherever it was kept.
 *           A set that somebody holds is not looked at further.
 * Source:   docs/design.md, Large files.
 * Never:    a guess. Whatever cannot be read or understood is an error of the whole set.
 */
#ifndef NODE_CLIENT_SURVEY_H
#define NODE_CLIENT_SURVEY_H

#include "node/client/kv.h"
#include "ring/block_key.h"

enum unnamed_kind {
    UNNAMED_BLOCK,
    UNNAMED_PATH,   /* a note of a path where no version names the set */
    UNNAMED_HOLD,   /* somebody works with the set: but for this nothing is unnamed */
    UNNAMED_STRIPE, /* a stripe's mark in a set that has neither blocks nor paths */
    UNNAMED_HEAD,   /* ... and no such marks */
};

struct unnamed {
    enum unnamed_kind kind;
    struct blob *key;   /* owned */
    struct object *row; /* owned: its clock is that of the key when it was listed */
};

struct survey_question {
    struct kv *kv;
    const struct kv_options *options;
    const struct block_set *set;
    struct object *head; /* the row of the set's head */
    size_t limit;        /* so much is told at most */
    bool for_delete;
    /* Each path that the set notes, and what is there (NULL or a tombstone: nothing). May be
     * NULL. */
    void (*on_path)(void *context, struct slice path, const struct object *object);
    void *context;
};

struct survey {
    struct unnamed *unnamed; /* owned array */
    size_t count;
    size_t room;
    bool is_cut;            /* there is more */
    bool is_settled;        /* with for_delete: what is unnamed here is named nowhere */
    struct error unsettled; /* ... or why that is not known */
    /* The latest event of its head, its notes and what is at its paths, by the wall clocks of
     * nodes, microseconds since 1970. */
    uint64_t changed_us;
};

/* STATUS_BUSY if a path changed meanwhile; the errors of kv_get and kv_list; STATUS_CORRUPT for
 * what makes no sense. *ret_survey is then untouched. */
MUST_CHECK enum status survey_set(const struct survey_question *question,
                                  struct survey *ret_survey);
void survey_release(struct survey *survey); /* zeroed is allowed */

#endif
