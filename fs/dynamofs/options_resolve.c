/*
 * options_resolve.c - the paths of the command line: made absolute, checked, or chosen.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/dynamofs/options.h"
#include "fs/dynamofs/options_words.h"
#include "node/base/error.h"

/* The data directory of this user, not yet absolute; NULL when memory is short. */
static char *default_data(void)
{
    const char *xdg = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int size;

    if (geteuid() == 0) {
        return strdup("/var/lib/dynamofs");
    }
    if (xdg && xdg[0] == '/') {
        size = asprintf(&path, "%s/dynamofs", xdg);
    } else if (home && home[0] == '/') {
        size = asprintf(&path, "%s/.local/share/dynamofs", home);
    } else {
        return strdup("");
    }
    return size < 0 ? NULL : path;
}

/* The working directory changes before the path is used. */
static enum status make_absolute(char **path, struct error *error)
{
    char working[PATH_MAX];
    char *absolute = NULL;

    if ((*path)[0] == '/') {
        return STATUS_OK;
    }
    if (!getcwd(working, sizeof working)) {
        return error_set(error, STATUS_IO, "working directory: %s", strerror(errno));
    }
    if (asprintf(&absolute, "%s/%s", working, *path) < 0) {
        return options_no_memory(error);
    }
    free(*path);
    *path = absolute;
    return STATUS_OK;
}

static enum status resolve_secret_file(struct options *options, struct error *error)
{
    const char *named = getenv("DYNAMOFS_SECRET_FILE");

    if (!options->secret_file && named && named[0] != '\0') {
        options->secret_file = strdup(named);
        if (!options->secret_file) {
            return options_no_memory(error);
        }
    }
    return options->secret_file ? make_absolute(&options->secret_file, error) : STATUS_OK;
}

static enum status resolve_data(struct options *options, struct error *error)
{
    if (!options->data) {
        options->data = default_data();
    }
    if (!options->data) {
        return options_no_memory(error);
    }
    if (options->data[0] == '\0') {
        return error_set(error, STATUS_BAD_MESSAGE,
                         "no data directory: HOME is not set; give one with --data");
    }
    return make_absolute(&options->data, error);
}

static enum status resolve_mountpoint(struct options *options, struct error *error)
{
    struct stat attributes;
    char *absolute = realpath(options->mountpoint, NULL);

    if (!absolute || stat(absolute, &attributes) != 0) {
        int reason = errno;

        free(absolute);
        return error_set(
            error, STATUS_IO, "mount on %.120s: %s%s", options->mountpoint, strerror(reason),
            reason == ENOTCONN ? " (a mount died here; fusermount3 -u removes it)" : "");
    }
    if (!S_ISDIR(attributes.st_mode)) {
        free(absolute);
        return error_set(error, STATUS_IO, "mount on %.120s: is not a directory",
                         options->mountpoint);
    }
    free(options->mountpoint);
    options->mountpoint = absolute;
    return STATUS_OK;
}

/* True if `path` is `directory` or lies below it. Both are absolute. */
static bool path_is_under(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 &&
           (size == 1 || path[size] == '/' || path[size] == '\0');
}

enum status options_resolve(struct options *options, struct error *error)
{
    enum status status;

    assert(options && options->mountpoint);
    assert(error);
    status = resolve_mountpoint(options, error);
    if (status == STATUS_OK) {
        status = resolve_secret_file(options, error);
    }
    if (status != STATUS_OK || options->cluster) {
        return status;
    }
    status = resolve_data(options, error);
    if (status == STATUS_OK && path_is_under(options->data, options->mountpoint)) {
        return error_set(error, STATUS_BAD_MESSAGE,
                         "mount on %.100s: the data directory %.100s would lie under the mount",
                         options->mountpoint, options->data);
    }
    return status;
}
