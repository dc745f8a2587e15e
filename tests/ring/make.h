/*
 * make.h - objects, versions and clocks written as text, for the tests of ring/.
 *
 * A dot is written node.birth:counter, a clock or a set of versions as dots with one space
 * between them, an object as its clock, " | " and its versions, a tombstone as its clock and
 * " |". A version made from a dot has a content and a write id of its own, equal for equal
 * dots.
 */
#ifndef TESTS_RING_MAKE_H
#define TESTS_RING_MAKE_H

#include "ring/object.h"

enum { MAKE_DOTS_MAX = 64, MAKE_TEXT_SIZE = 4096 };

/* Dots parsed from text; `clock` borrows `dots`. */
struct made_clock {
    struct dot dots[MAKE_DOTS_MAX];
    struct clock clock;
};

/* Fails the test if `text` is not a list of dots. */
void make_clock(const char *text, struct made_clock *ret_clock);
struct dot make_dot(const char *text);

/* A version of `content` under `dot`; the caller drops it by version_drop. */
struct version make_version(struct dot dot, const char *content);
void version_drop(struct version *version);

/* The object that `text` describes; the caller drops it. `own` is node.birth:0, or NULL. A
 * tombstone was deleted at the greatest counter of its clock. */
struct object *make_object(const char *text, const char *own);

/* The object as text; "none" for NULL. */
void object_print(const struct object *object, char ret_text[MAKE_TEXT_SIZE]);
/* Fails the test unless the object reads as `text` and keeps every rule of object.h. */
void assert_object(const struct object *object, const char *text);
/* True if object_new would accept the object as it is. */
bool object_keeps_rules(const struct object *object);

#endif
