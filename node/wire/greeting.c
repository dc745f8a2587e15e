/*
 * greeting.c - see greeting.h.
 */
#include "node/wire/greeting.h"

#include <assert.h>
#include <string.h>

#include "node/base/error.h"
#include "node/wire/codec.h"

static_assert((int)PROOF_SIZE == (int)SECRET_CODE_SIZE, "a proof is a code");

static enum status note(const struct message *message, uint8_t ret_hash[CONTENT_HASH_SIZE])
{
    struct buffer bytes = {.data = NULL};

    codec_encode(message, &bytes);
    enum status status = bytes.failed ? STATUS_NO_MEMORY : STATUS_OK;
    if (status == STATUS_OK) {
        content_hash(buffer_slice(&bytes), ret_hash);
    }
    buffer_release(&bytes);
    return status;
}

enum status greeting_note_hello(struct greeting *greeting, const struct message *hello)
{
    assert(hello->type == MESSAGE_HELLO);
    return note(hello, greeting->hello);
}

enum status greeting_begin(struct greeting *greeting, struct message *hello,
                           struct error *error)
{
    assert(hello->type == MESSAGE_HELLO);
    hello->hello.protocol = PROTOCOL_VERSION;
    enum status status = secret_random(hello->hello.nonce, NONCE_SIZE, error);
    if (status != STATUS_OK) {
        return status;
    }
    status = greeting_note_hello(greeting, hello);
    return status == STATUS_OK ? status : error_set(error, status, "%s", status_text(status));
}

enum status greeting_note_reply(struct greeting *greeting, const struct message *reply)
{
    struct message bare = *reply;

    assert(reply->type == MESSAGE_HELLO_REPLY);
    bare.hello.has_proof = false;
    return note(&bare, greeting->reply);
}

void greeting_prove(const struct greeting *greeting, const struct secret *secret,
                    enum greeting_side side, uint8_t ret_proof[PROOF_SIZE])
{
    uint8_t said[1 + 2 * CONTENT_HASH_SIZE];

    said[0] = (uint8_t)side;
    memcpy(said + 1, greeting->hello, CONTENT_HASH_SIZE);
    memcpy(said + 1 + CONTENT_HASH_SIZE, greeting->reply, CONTENT_HASH_SIZE);
    secret_code(secret, slice_of(said, sizeof said), ret_proof);
}

bool greeting_is_proved(const struct greeting *greeting, const struct secret *secret,
                        enum greeting_side side, const uint8_t proof[PROOF_SIZE])
{
    uint8_t wanted[PROOF_SIZE];

    greeting_prove(greeting, secret, side, wanted);
    return secret_code_equal(wanted, proof);
}
