/*
 * socket.h - blocking TCP with a deadline for every step.
 *
 * Deadlines are readings of client_now_ns. Whatever waits returns
 * STATUS_INTERRUPTED soon after the thread's operation was interrupted. Sockets block, with a
 * short time limit in the kernel: far from its deadline a call costs one system call, near to
 * it a poll more.
 *
 * Threads:  a socket belongs to one thread at a time.
 *
 * Never:    a signal for a broken connection; a wait past the deadline. (Looking up a host that
 *           is given by name waits as long as the resolver does, which has limits of its own.)
 */
#ifndef NODE_CLIENT_SOCKET_H
#define NODE_CLIENT_SOCKET_H

#include "node/client/client_clock.h"
#include "ring/bytes.h"

/* Returns once client_now_ns() is `until_ns` or more; false, and earlier, if the thread's
 * operation is interrupted (kv_limits_begin). */
bool socket_pause_until(uint64_t until_ns);

/*
 * Connects to HOST:PORT. STATUS_UNREACHABLE or STATUS_TIMEOUT with the reason in `error`. The
 * caller closes *ret_fd.
 */
MUST_CHECK enum status socket_connect(const char *address, uint64_t deadline_ns, int *ret_fd,
                                      struct error *error);

/*
 * Sends all of `bytes`. STATUS_CLOSED, STATUS_TIMEOUT: the other side may have got a part of
 * them, never all.
 */
MUST_CHECK enum status socket_send(int fd, struct slice bytes, uint64_t deadline_ns);

/* Receives 1 to `size` bytes. STATUS_CLOSED at the end of the stream or when the connection
 * broke, STATUS_TIMEOUT. */
MUST_CHECK enum status socket_receive(int fd, uint8_t *bytes, size_t size, uint64_t deadline_ns,
                                      size_t *ret_size);

#endif
