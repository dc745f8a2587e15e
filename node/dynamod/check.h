/*
 * check.h - looks at the data directory of a node that does not run, and mends it.
 */
#ifndef NODE_DYNAMOD_CHECK_H
#define NODE_DYNAMOD_CHECK_H

#include "ring/status.h"

/*
 * Tells on stdout what is damaged, and which names are lost. With `repairs` it keeps what can
 * be read, lists again what lost its row, and drops rows whose object is lost; without it
 * changes nothing. *ret_is_well is true if nothing is damaged, or nothing any more. On failure
 * `error` says what, where and why.
 */
MUST_CHECK enum status check_run(const char *directory, bool repairs, bool *ret_is_well,
                                 struct error *error);

#endif
