/*
 * options_words.h - the words of -o: those of dynamofs, of libfuse and of /etc/fstab.
 *
 * Shape:    what libfuse and the kernel shall be told is gathered in the buffer `fuse`, a list
 *           as of -o.
 */
#ifndef FS_DYNAMOFS_OPTIONS_WORDS_H
#define FS_DYNAMOFS_OPTIONS_WORDS_H

#include "fs/dynamofs/options.h"
#include "ring/bytes.h"

/* Takes a comma-separated list; a backslash keeps a comma in its word, as in libfuse.
 * STATUS_BAD_MESSAGE for a word that nobody understands, NO_MEMORY. */
MUST_CHECK enum status options_apply_list(struct options *options, struct buffer *fuse,
                                          const char *list, struct error *error);
/* Appends one word; commas and backslashes in it are its own. */
void options_add_for_fuse(struct buffer *fuse, const char *word);
/* A copy of `value` takes the place of *target. STATUS_BAD_MESSAGE if it is empty. */
MUST_CHECK enum status options_set_text(char **target, const char *name, const char *value,
                                        struct error *error);
/* Says so; STATUS_NO_MEMORY. */
enum status options_no_memory(struct error *error);

#endif
