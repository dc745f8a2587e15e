/*
 * salvaging.h - what the tests of salvage share: a store with known contents, and the request.
 */
#ifndef TESTS_STORE_SALVAGING_H
#define TESTS_STORE_SALVAGING_H

#include "tests/store/fixture.h"

enum { KEYS = 300, CONTENT_SIZE = 2000 };

/* The key and the content of a number: letters that do not compress. */
void key_text(int number, char text[32]);
void content_text(int number, char text[CONTENT_SIZE + 1]);
/* All KEYS of them. */
void put_all(struct fixture *fixture);
/* Salvages, which must succeed. The caller releases what it says. */
struct store_result salvage(struct fixture *fixture);

#endif
