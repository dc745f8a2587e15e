/*
 * probe.h - what nodes answer, compared with what is stored; and what the rest of a cluster
 * keeps while some of it is dead.
 */
#ifndef TESTS_SIM_PROBE_H
#define TESTS_SIM_PROBE_H

#include "tests/sim/check.h"

/* After settling: each node answers gets and listings, page by page, with what is stored. */
bool probe_answers(struct check *check);
/*
 * Some nodes have been away for a while (`dead`, bits), the others well. These keep hints for
 * the dead alone, no more than one for each key and owner, and no intent that they could have
 * carried out.
 */
bool probe_core(struct check *check, uint32_t dead);

#endif
