/*
 * ask.h - a client's requests to the simulated cluster, each in one line.
 */
#ifndef TESTS_CORE_ASK_H
#define TESTS_CORE_ASK_H

#include "tests/sim/world.h"

enum { ASK_LIMIT_US = 20000000 };

/* Without a context (NULL): a sibling. NULL `text`: a delete. ret_row may be NULL. */
enum status ask_put(struct world *world, int node, const char *key, const char *text,
                    const struct object *context, struct object **ret_row);
/* Puts d/FROM and those after it, up to but not d/TO; each holds its own key. */
void ask_fill(struct world *world, int node, int from, int to);
/* Supersedes just the dots of `versions` (count of them). */
enum status ask_put_some(struct world *world, int node, const char *key, const char *text,
                         const struct version *versions, uint32_t count);
/* A put that is not waited for; the call. */
int ask_put_later(struct world *world, int node, const char *key, const char *text,
                  const struct object *context);
/* What becomes of a call that was made with world_ask; TIMEOUT: nothing in ASK_LIMIT_US. */
enum status ask_outcome(struct world *world, int call);
/* ret_object may be a tombstone or NULL with STATUS_NOT_FOUND. */
enum status ask_get(struct world *world, int node, const char *key, struct object **ret_object);
/* When a name in the directory appeared or vanished last; whatever became of the directory. */
enum status ask_names_us(struct world *world, int node, const char *directory,
                         uint64_t *ret_names_us);
/* Names of live rows of a directory, joined by spaces, directories with a slash, into `names`.
 */
enum status ask_list(struct world *world, int node, const char *directory, char *names,
                     size_t size);
/* The live versions' contents, oldest first, joined by commas. */
void object_text(const struct object *object, char *text, size_t size);

#endif
