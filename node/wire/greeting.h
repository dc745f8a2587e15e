/*
 * greeting.h - how the two ends of a connection prove that they know the cluster's secret.
 *
 *   opener                                        other end
 *   HELLO (role, who, nonce) ------------------->
 *             <------------------- HELLO_REPLY (who, nonce, its proof)
 *   PROOF (the opener's proof) ----------------->
 *             <------------------------ PROOF_REPLY
 *
 * A proof is the code, under the secret, of a word for the side that proves and of all that
 * both have said: the HELLO and the HELLO_REPLY (without its proof) with their fresh nonces,
 * roles, identities, addresses and clusters. So it serves for this connection and this side
 * alone.
 *
 * Shape:    each side notes both messages as it sends or receives them; a message has just one
 *           encoding, so that both note the same bytes.
 */
#ifndef NODE_WIRE_GREETING_H
#define NODE_WIRE_GREETING_H

#include "node/base/secret.h"
#include "node/wire/message.h"
#include "ring/hash.h"

enum greeting_side { GREETING_OPENER = 1, GREETING_OTHER_END = 2 };

struct greeting {
    uint8_t hello[CONTENT_HASH_SIZE];
    uint8_t reply[CONTENT_HASH_SIZE];
};

/* Makes a HELLO, in which the role and who says it are filled in, ready to be sent: with a fresh
 * nonce, and noted. STATUS_NO_MEMORY, or why there is no nonce. */
MUST_CHECK enum status greeting_begin(struct greeting *greeting, struct message *hello,
                                      struct error *error);
/* STATUS_NO_MEMORY. */
MUST_CHECK enum status greeting_note_hello(struct greeting *greeting,
                                           const struct message *hello);
MUST_CHECK enum status greeting_note_reply(struct greeting *greeting,
                                           const struct message *reply);
void greeting_prove(const struct greeting *greeting, const struct secret *secret,
                    enum greeting_side side, uint8_t ret_proof[PROOF_SIZE]);
bool greeting_is_proved(const struct greeting *greeting, const struct secret *secret,
                        enum greeting_side side, const uint8_t proof[PROOF_SIZE]);

#endif
