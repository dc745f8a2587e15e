/*
 * registry.c - see registry.h.
 */
#include "node/base/registry.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "node/base/error.h"
#include "node/base/now.h"
#include "node/base/numeric.h"

enum {
    DIRECTORIES_MAX = 3,
    PATH_SIZE = 512,
    NAME_SIZE = ADDRESS_SIZE + 8, /* with ".new" */
    LOCK_RETRY_MS = 5,
};

struct directories {
    size_t count;
    char path[DIRECTORIES_MAX][PATH_SIZE];
};

__attribute__((format(printf, 2, 3))) static void add(struct directories *directories,
                                                      const char *format, ...)
{
    va_list arguments;

    assert(directories->count < DIRECTORIES_MAX);
    va_start(arguments, format);
    int size = vsnprintf(directories->path[directories->count], PATH_SIZE, format, arguments);
    va_end(arguments);
    /* One whose name is too long is not used. */
    directories->count += size > 0 && size < PATH_SIZE;
}

static struct directories list_directories(void)
{
    struct directories directories = {.count = 0};
    const char *own = getenv("DYNAMOFS_RUNTIME_DIR");
    const char *session = getenv("XDG_RUNTIME_DIR");
    unsigned user = geteuid();

    if (own && own[0] == '/') {
        add(&directories, "%s", own);
        return directories;
    }
    if (user == 0) {
        add(&directories, "/run/dynamofs");
    } else {
        if (session && session[0] == '/') {
            add(&directories, "%s/dynamofs", session);
        }
        add(&directories, "/run/user/%u/dynamofs", user);
    }
    add(&directories, "/tmp/dynamofs-%u", user);
    return directories;
}

/* A directory that nobody but this user can have put anything into, or -1 with errno. */
static int open_directory(const char *path)
{
    struct stat attributes;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (descriptor < 0) {
        return -1;
    }
    if (fstat(descriptor, &attributes) != 0 || attributes.st_uid != geteuid() ||
        (attributes.st_mode & 0077) != 0) {
        (void)close(descriptor);
        errno = EPERM;
        return -1;
    }
    return descriptor;
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size < ADDRESS_SIZE && name[0] != '.' && !strchr(name, '/');
}

/* The lock is its holder's as long as it lives. */
static bool is_locked(int descriptor)
{
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static bool registry_read_entry(int directory, const char *name, bool must_run,
                                struct secret *ret_secret)
{
    struct error ignored;
    int descriptor = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (descriptor < 0) {
        return false;
    }
    if (must_run && !is_locked(descriptor)) {
        (void)close(descriptor);
        return false;
    }
    return secret_read_take(descriptor, ret_secret, &ignored) == STATUS_OK;
}

enum status registry_find(const char *address, bool must_run, struct secret *ret_secret)
{
    struct directories directories = list_directories();
    bool is_found = false;

    for (size_t i = 0; i < directories.count && is_name(address) && !is_found; i++) {
        int directory = open_directory(directories.path[i]);
        if (directory >= 0) {
            is_found = registry_read_entry(directory, address, must_run, ret_secret);
            (void)close(directory);
        }
    }
    return is_found ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status registry_find_connected(const char *address, int descriptor, bool must_run,
                                    struct secret *ret_secret)
{
    struct sockaddr_storage remote;
    socklen_t size = sizeof remote;
    char name[ADDRESS_SIZE];

    enum status status = registry_find(address, must_run, ret_secret);
    if (status == STATUS_NOT_FOUND &&
        getpeername(descriptor, (struct sockaddr *)&remote, &size) == 0 &&
        numeric_of_socket(&remote, name) && !address_equal(name, address)) {
        status = registry_find(name, must_run, ret_secret);
    }
    return status;
}

static int make_directory(struct error *error)
{
    struct directories directories = list_directories();

    for (size_t i = 0; i < directories.count; i++) {
        const char *path = directories.path[i];
        int descriptor = -1;
        if (mkdir(path, 0700) == 0 || errno == EEXIST) {
            descriptor = open_directory(path);
        }
        if (descriptor >= 0) {
            return descriptor;
        }
        (void)error_set(error, STATUS_REFUSED, "%.120s: %s", path,
                        errno == EPERM ? "must be a directory of this user, with mode 0700"
                                       : strerror(errno));
    }
    return -1;
}

static bool wait_for_lock(int descriptor, unsigned patience_ms)
{
    static const struct timespec retry = {.tv_nsec = LOCK_RETRY_MS * 1000000L};
    uint64_t until_ms = now_monotonic_ms() + patience_ms;

    while (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (now_monotonic_ms() >= until_ms) {
            return false;
        }
        (void)nanosleep(&retry, NULL);
    }
    return true;
}

enum status registry_lock(struct registry *registry, unsigned patience_ms, struct error *error)
{
    assert(registry->lock == 0);
    if (registry->directory == 0) {
        registry->directory = make_directory(error) + 1;
    }
    if (registry->directory == 0) {
        return error->code;
    }
    int lock = openat(registry->directory - 1, ".lock",
                      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lock < 0) {
        return error_set(error, STATUS_IO, "lock: %s", strerror(errno));
    }
    if (!wait_for_lock(lock, patience_ms)) {
        (void)close(lock);
        return error_set(error, STATUS_BUSY, "lock: another node holds it");
    }
    registry->lock = lock + 1;
    return STATUS_OK;
}

void registry_unlock(struct registry *registry)
{
    if (registry->lock != 0) {
        (void)close(registry->lock - 1);
        registry->lock = 0;
    }
}

/* Takes out what nodes left that were killed, or there would be ever more. The lock is held, so
 * that no entry is on its way. */
static void registry_sweep(int directory)
{
    int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    if (!listing) {
        if (copy >= 0) {
            (void)close(copy);
        }
        return;
    }
    while ((entry = readdir(listing))) {
        int descriptor = entry->d_name[0] == '.'
                             ? -1
                             : openat(directory, entry->d_name,
                                      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
        if (descriptor >= 0 && !is_locked(descriptor)) {
            (void)unlinkat(directory, entry->d_name, 0);
        }
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
    }
    (void)closedir(listing);
}

static struct registry_name *place_of(struct registry *registry, const char *name)
{
    for (size_t i = 0; i < REGISTRY_NAMES_MAX; i++) {
        struct registry_name *place = &registry->names[i];
        if (place->descriptor == 0 || strcmp(place->name, name) == 0) {
            return place;
        }
    }
    return NULL;
}

/* The new file is locked before anybody can see it. */
static int write_entry(int directory, const char *name, const struct secret *secret)
{
    char text[SECRET_TEXT_SIZE];
    char fresh[NAME_SIZE];

    snprintf(fresh, sizeof fresh, ".%s.new", name);
    (void)unlinkat(directory, fresh, 0);
    int descriptor =
        openat(directory, fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return -1;
    }
    secret_format(secret, text);
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 &&
        write(descriptor, text, sizeof text) == (ssize_t)sizeof text &&
        renameat(directory, fresh, directory, name) == 0) {
        return descriptor;
    }
    int reason = errno;
    (void)close(descriptor);
    (void)unlinkat(directory, fresh, 0);
    errno = reason;
    return -1;
}

enum status registry_enter(struct registry *registry, const char *name,
                           const struct secret *secret, struct error *error)
{
    assert(registry->lock != 0);
    struct registry_name *place = place_of(registry, name);

    assert(place);
    if (!is_name(name)) {
        return error_set(error, STATUS_REFUSED, "%.64s: no name for a file", name);
    }
    registry_sweep(registry->directory - 1);
    int descriptor = write_entry(registry->directory - 1, name, secret);
    if (descriptor < 0) {
        return error_set(error, STATUS_IO, "%.64s: %s", name, strerror(errno));
    }
    if (place->descriptor != 0) {
        (void)close(place->descriptor - 1);
    }
    place->descriptor = descriptor + 1;
    snprintf(place->name, sizeof place->name, "%s", name);
    return STATUS_OK;
}

/* Another node may have entered itself under the name since. */
static bool is_still_ours(int directory, const struct registry_name *place)
{
    struct stat here;
    struct stat there;

    return fstat(place->descriptor - 1, &here) == 0 &&
           fstatat(directory, place->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

void registry_leave(struct registry *registry)
{
    for (size_t i = 0; i < REGISTRY_NAMES_MAX; i++) {
        struct registry_name *place = &registry->names[i];
        if (place->descriptor == 0) {
            continue;
        }
        if (is_still_ours(registry->directory - 1, place)) {
            (void)unlinkat(registry->directory - 1, place->name, 0);
        }
        (void)close(place->descriptor - 1);
    }
    registry_unlock(registry);
    if (registry->directory != 0) {
        (void)close(registry->directory - 1);
    }
    memset(registry, 0, sizeof *registry);
}
