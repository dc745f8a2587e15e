/*
 * socket.c - see socket.h.
 */
#include "node/client/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "node/base/address.h"
#include "node/client/kv.h"
#include "ring/ring.h"

enum {
    /* How long one send or receive may block in the kernel before the deadline is looked at:
     * less than a call's shortest attempt, so that the ordinary one is still far from it. */
    TICK_MS = 50,
};

static void sleep_until(uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / UINT64_C(1000000000)),
                             .tv_nsec = (long)(until_ns % UINT64_C(1000000000))};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

/* Milliseconds until the deadline, rounded up, at most a minute; 0 once it has passed. */
static int left_ms(uint64_t deadline_ns)
{
    enum { WAIT_MAX_MS = 60000 };
    uint64_t now = client_now_ns();
    if (now >= deadline_ns) {
        return 0;
    }
    uint64_t left = (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS;
    return left > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left;
}

bool socket_pause_until(uint64_t until_ns)
{
    int left;
    while ((left = left_ms(until_ns)) > 0) {
        if (kv_limits_is_interrupted()) {
            return false;
        }
        uint64_t slice_end = client_now_ns() + kv_limits_wait_ms((uint32_t)left) * NS_PER_MS;
        sleep_until(slice_end < until_ns ? slice_end : until_ns);
    }
    return true;
}

/* Waits for `events`. STATUS_OK also for errors and hang-ups, which the next call tells. */
static enum status wait_for(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        int left = left_ms(deadline_ns);
        if (left == 0) {
            return STATUS_TIMEOUT;
        }
        if (kv_limits_is_interrupted()) {
            return STATUS_INTERRUPTED;
        }
        struct pollfd one = {.fd = fd, .events = events};
        int count = poll(&one, 1, (int)kv_limits_wait_ms((uint32_t)left));
        if (count > 0) {
            return STATUS_OK;
        }
        if (count < 0 && errno != EINTR) {
            return STATUS_CLOSED;
        }
    }
}

static bool set_options(int fd)
{
    int on = 1;
    struct timeval tick = {.tv_usec = TICK_MS * 1000L};
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick) == 0;
}

static enum status connect_one(const struct addrinfo *to, uint64_t deadline_ns, int *ret_fd)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return STATUS_UNREACHABLE;
    }
    enum status status = STATUS_UNREACHABLE;
    int failure = 0;
    socklen_t size = sizeof failure;
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        if (errno != EINPROGRESS) {
            goto fail;
        }
        enum status waited = wait_for(fd, POLLOUT, deadline_ns);
        if (waited != STATUS_OK) {
            status = waited == STATUS_INTERRUPTED ? waited : STATUS_TIMEOUT;
            errno = waited == STATUS_INTERRUPTED ? EINTR : ETIMEDOUT;
            goto fail;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) {
            errno = failure ? failure : errno;
            goto fail;
        }
    }
    if (!set_options(fd)) {
        goto fail;
    }
    *ret_fd = fd;
    return STATUS_OK;
fail:
    failure = errno;
    close(fd);
    errno = failure;
    return status;
}

/* Looks a host up: at once if it is a number, so that no resolver is asked. */
static int look_up(const struct address *address, struct addrinfo **ret_list)
{
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)address->port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    int failure = getaddrinfo(address->host, port, &hints, ret_list);
    if (failure == EAI_NONAME) {
        hints.ai_flags = AI_NUMERICSERV;
        failure = getaddrinfo(address->host, port, &hints, ret_list);
    }
    return failure;
}

enum status socket_connect(const char *address, uint64_t deadline_ns, int *ret_fd,
                           struct error *error)
{
    assert(address && ret_fd && error);
    struct address parts;
    struct addrinfo *list = NULL;
    if (address_parse_remote(address, &parts, error) != STATUS_OK) {
        error->code = STATUS_UNREACHABLE;
        return STATUS_UNREACHABLE;
    }
    error->code = STATUS_UNREACHABLE;
    int failure = look_up(&parts, &list);
    if (failure != 0) {
        snprintf(error->text, sizeof error->text, "%s: %s", address, gai_strerror(failure));
        return STATUS_UNREACHABLE;
    }
    enum status status = STATUS_UNREACHABLE;
    errno = EADDRNOTAVAIL;
    for (struct addrinfo *to = list; to && status != STATUS_OK && status != STATUS_INTERRUPTED;
         to = to->ai_next) {
        status = connect_one(to, deadline_ns, ret_fd);
    }
    if (status != STATUS_OK) {
        char reason[128];
        error->code = status;
        snprintf(error->text, sizeof error->text, "connect to %s: %s", address,
                 strerror_r(errno, reason, sizeof reason));
    }
    freeaddrinfo(list);
    return status;
}

/*
 * Before a call that may block: the flags to make it with. Far from the deadline it may block,
 * for the kernel ends it after a tick; near to it poll waits in its place.
 */
static enum status await_turn(int fd, short events, uint64_t deadline_ns, int *ret_flags)
{
    *ret_flags = MSG_NOSIGNAL;
    if (client_now_ns() + TICK_MS * NS_PER_MS < deadline_ns) {
        return STATUS_OK;
    }
    *ret_flags |= MSG_DONTWAIT;
    return wait_for(fd, events, deadline_ns);
}

enum status socket_send(int fd, struct slice bytes, uint64_t deadline_ns)
{
    assert(bytes.size > 0);
    while (bytes.size > 0) {
        int flags;
        enum status status = await_turn(fd, POLLOUT, deadline_ns, &flags);
        if (status != STATUS_OK) {
            return status;
        }
        ssize_t size = send(fd, bytes.data, bytes.size, flags);
        if (size >= 0) {
            bytes.data += size;
            bytes.size -= (size_t)size;
        } else if (errno != EINTR && errno != EAGAIN) {
            return STATUS_CLOSED;
        } else if (kv_limits_is_interrupted()) {
            return STATUS_INTERRUPTED;
        }
    }
    return STATUS_OK;
}

enum status socket_receive(int fd, uint8_t *bytes, size_t size, uint64_t deadline_ns,
                           size_t *ret_size)
{
    assert(bytes && size > 0 && ret_size);
    for (;;) {
        int flags;
        enum status status = await_turn(fd, POLLIN, deadline_ns, &flags);
        if (status != STATUS_OK) {
            return status;
        }
        ssize_t received = recv(fd, bytes, size, flags);
        if (received > 0) {
            *ret_size = (size_t)received;
            return STATUS_OK;
        }
        if (received == 0 || (errno != EINTR && errno != EAGAIN)) {
            return STATUS_CLOSED;
        }
        if (kv_limits_is_interrupted()) {
            return STATUS_INTERRUPTED;
        }
    }
}
