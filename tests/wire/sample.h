/*
 * sample.h - random but valid messages, and whether two are the same, for the tests of wire/
 * and the first inputs of the fuzzers.
 *
 * Shape:    all randomness comes from one seed, which is printed, so that a failing run can be
 *           repeated with DYNAMOFS_TEST_SEED.
 */
#ifndef TESTS_WIRE_SAMPLE_H
#define TESTS_WIRE_SAMPLE_H

#include "node/wire/message.h"

struct sample {
    uint64_t state;
};

/* From DYNAMOFS_TEST_SEED if it is set, else from the clock. Prints the seed. */
struct sample sample_seeded(void);
uint64_t sample_bits(struct sample *sample);
/* 0 to max - 1 */
uint64_t sample_below(struct sample *sample, uint64_t max);
/* A number of any length in bits, so that each encoded width is met. */
uint64_t sample_number(struct sample *sample);
bool sample_chance(struct sample *sample, unsigned percent);

/* All message types there are. */
enum { SAMPLE_TYPES = 44 };
extern const enum message_type sample_types[SAMPLE_TYPES];

/* An object without own; at most pair_max pairs; a row if `is_row`. Fits `kind`. */
struct object *sample_object(struct sample *sample, uint32_t pair_max, bool is_row,
                             enum row_kind kind);
struct blob *sample_bytes(struct sample *sample, size_t size);
/* A manifest of `blocks` blocks, or holes, or, of some such files, of maps. */
struct blob *sample_manifest(struct sample *sample, uint32_t blocks, uint64_t *ret_size);

/* The parts of messages; what they return is the caller's. */
struct blob *sample_name(struct sample *sample);
struct blob *sample_key(struct sample *sample, enum row_kind kind);
enum row_kind sample_kind(struct sample *sample);
void sample_address(struct sample *sample, char ret_address[ADDRESS_SIZE]);
struct blob *sample_text(struct sample *sample);
struct dot *sample_pairs(struct sample *sample, uint32_t count);
struct version sample_version(struct sample *sample, bool is_row, enum row_kind kind);
struct object *sample_whole(struct sample *sample);
struct ring *sample_ring(struct sample *sample);

/* A message of `type` that the caller releases. */
void sample_message(struct sample *sample, enum message_type type, struct message *ret_message);

/* Every field, attributes and contents included. */
bool sample_same_version(const struct version *a, const struct version *b);
bool sample_same_object(const struct object *a, const struct object *b);
bool sample_same_message(const struct message *a, const struct message *b);

#endif
