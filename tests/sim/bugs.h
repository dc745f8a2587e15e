/*
 * bugs.h - the planted bugs by name, to show that the simulator would find them.
 */
#ifndef TESTS_SIM_BUGS_H
#define TESTS_SIM_BUGS_H

#include <stdbool.h>

/* Switches the bug on. False if there is none of this name, or this build has none planted. */
bool bugs_plant(const char *name);
/* Name number `index`, or NULL behind the last. */
const char *bugs_name(unsigned index);

#endif
