/*
 * test_client.h - a blocking client that speaks the protocol, well or badly, for tests.
 *
 * Every wait has a deadline of CLIENT_TIMEOUT_MS.
 */
#ifndef TESTS_SERVER_TEST_CLIENT_H
#define TESTS_SERVER_TEST_CLIENT_H

#include "node/wire/codec.h"
#include "node/wire/frame.h"

enum { CLIENT_TIMEOUT_MS = 15000 };

struct test_client {
    int descriptor;
    struct frame_splitter splitter;
    uint64_t last_id;
    char address[ADDRESS_SIZE];
    bool lies; /* its proof of the secret will be wrong */
};

/* Connects to HOST:PORT (an IPv4 number); false if nobody listens. */
bool client_connect(struct test_client *client, const char *address);
void client_close(struct test_client *client);

/* False if the connection is gone. */
bool client_send_bytes(struct test_client *client, const void *bytes, size_t size);
bool client_send(struct test_client *client, const struct message *message);
/* The next message: STATUS_OK, STATUS_CLOSED at the end of the stream (also by a reset),
 * STATUS_TIMEOUT, or what the splitter or the codec say. */
enum status client_receive(struct test_client *client, struct message *ret_message);
/* Reads on until the end of the stream; false if it does not come. */
bool client_wait_closed(struct test_client *client);

/* HELLO as `role` with the right version, and the proof that is asked for. The status of the
 * reply; STATUS_DENIED if the secret that the node left here is none or not its own. */
enum status client_greet(struct test_client *client, enum role role);
/* Connects and greets as a client; fails the test if it cannot. */
void client_open(struct test_client *client, const char *address);
/* Sends a request (its id is set) and receives its reply. Releases the request. */
enum status client_call(struct test_client *client, struct message *request,
                        struct message *ret_reply);

/* Fills in a put of `text`, with the context of nothing. */
void client_make_put(struct message *message, const char *key, const char *text);
void client_make_get(struct message *message, const char *key);
/* An object with one version of this content; the caller unrefs. */
struct object *client_make_object(const char *text);
/* The status of the reply, or of the connection. */
enum status client_put(struct test_client *client, const char *key, const char *text);
/* With STATUS_OK the newest version's content, NUL-terminated; free it. */
enum status client_get(struct test_client *client, const char *key, char **ret_text);
/* One of the node's figures; 0 if it has none of that name. */
uint64_t client_figure(struct test_client *client, const char *name);
/* The epoch of the node's ring, and where the ring says that its first member listens. */
uint64_t client_ring_epoch(const char *address, char ret_member_address[ADDRESS_SIZE]);
/* Asks until the node is a member of a ring of `members`; false after the deadline. */
bool client_wait_members(const char *address, size_t members);

/* Over a connection of their own; fail the test if it does not go as wanted. */
void client_put_text(const char *address, const char *key, const char *text);
void client_assert_text(const char *address, const char *key, const char *wanted);
/* While nodes meet, or notice that they lost one another, a put may find too few of them: tries
 * until it succeeds; false after the deadline. */
bool client_put_until_ok(const char *address, const char *key, const char *text);

/* Asks for the node's status, which is answered whatever else waits. */
void client_ask_status(struct test_client *client);
/* Sends gets of one key in one piece, with ids from 1000 on. */
void client_send_gets(struct test_client *client, const char *key, size_t count);
/* Sends a frame header that promises `size` bytes. */
void client_send_header(struct test_client *client, uint32_t size);
/* The connection must end with a HELLO_REPLY of this status and a text. Closes. */
void client_assert_last_word(struct test_client *client, enum status status);

#endif
