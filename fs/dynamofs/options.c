/*
 * options.c - the command line of dynamofs, checked.
 */
#include "fs/dynamofs/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/base/address.h"
#include "node/base/error.h"
#include "ring/bytes.h"
#include "ring/ring.h"

static const char *const HELP =
    "usage: dynamofs [OPTION...] MOUNTPOINT\n"
    "\n"
    "Mounts a Dynamo cluster. Without --cluster it runs a storage node of its own.\n"
    "\n"
    "      --cluster HOST:PORT[,...]  mount a running cluster, as a client only\n"
    "      --join HOST:PORT[,...]     the own node joins this cluster\n"
    "      --data DIR                 data of the own node; default\n"
    "                                 $XDG_DATA_HOME/dynamofs, as root /var/lib/dynamofs\n"
    "      --listen HOST:PORT         address of the own node; default 127.0.0.1:7450\n"
    "      --expect ID                refuse a data directory that is empty or not that\n"
    "                                 node's: its volume may not be mounted\n"
    "      --secret-file FILE         the cluster's secret; default: the one that\n"
    "                                 DYNAMOFS_SECRET_FILE names, DIR/secret, or that of a\n"
    "                                 node of this user on this machine\n"
    "      --insecure                 allow --listen beyond this machine without TLS\n"
    "  -o OPTION[,...]                mount options, see below\n"
    "  -f                             stay in the foreground\n"
    "  -d                             print every request; implies -f\n"
    "  -h, --help                     print this and exit\n"
    "  -V, --version                  print the version and exit\n"
    "\n"
    "Mount options:\n"
    "  r=COUNT, w=COUNT               replicas that must answer a read or a write;\n"
    "                                 default: more than half of them\n"
    "  timeout=SECONDS                deadline of an operation; default 10\n"
    "  attr_timeout=SECONDS           how long the kernel may keep attributes\n"
    "  entry_timeout=SECONDS          how long the kernel may keep names\n"
    "  data=DIR, listen=HOST:PORT, join=HOST:PORT, secret-file=FILE, insecure\n"
    "                                 as the options above, for a line of /etc/fstab\n"
    "  ro, allow_other, auto_unmount, noatime, nodev, nosuid, noexec, fsname=NAME,\n"
    "  subtype=NAME and the other options of mount(8) and libfuse\n";

/* Words that the kernel or libfuse understands; default_permissions is always on. */
static const char *const FUSE_WORDS[] = {
    "rw",         "ro",          "suid",         "nosuid",
    "dev",        "nodev",       "exec",         "noexec",
    "async",      "sync",        "dirsync",      "noatime",
    "allow_root", "allow_other", "auto_unmount", "default_permissions",
};

/* Those with a value. */
static const char *const FUSE_VALUES[] = {
    "fsname=", "subtype=", "max_read=", "context=", "fscontext=", "defcontext=", "rootcontext=",
};

/* Ways to keep access times: none is done here, for reading does not change them. libfuse knows
 * only some of the words, and the kernel's own work is the same with any. */
static const char *const ACCESS_TIME_WORDS[] = {
    "atime",       "diratime",      "nodiratime", "relatime",   "norelatime",
    "strictatime", "nostrictatime", "lazytime",   "nolazytime",
};

/* Words of /etc/fstab that are for mount(8) and systemd, not for us. */
static const char *const FSTAB_WORDS[] = {
    "defaults", "auto",  "noauto", "user",   "nouser",  "users",
    "nousers",  "owner", "group",  "nofail", "_netdev",
};

static const char *const FSTAB_PREFIXES[] = {"x-", "X-", "comment="};

enum {
    LONG_CLUSTER = 256,
    LONG_JOIN,
    LONG_DATA,
    LONG_LISTEN,
    LONG_INSECURE,
    LONG_SECRET_FILE,
    LONG_EXPECT
};

static const struct option LONG_OPTIONS[] = {
    {"cluster", required_argument, NULL, LONG_CLUSTER},
    {"join", required_argument, NULL, LONG_JOIN},
    {"data", required_argument, NULL, LONG_DATA},
    {"listen", required_argument, NULL, LONG_LISTEN},
    {"secret-file", required_argument, NULL, LONG_SECRET_FILE},
    {"expect", required_argument, NULL, LONG_EXPECT},
    {"insecure", no_argument, NULL, LONG_INSECURE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
}

static bool is_listed(const char *word, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_listed_prefix(const char *word, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(word, list[i], strlen(list[i])) == 0) {
            return true;
        }
    }
    return false;
}

#define COUNT_OF(array) (sizeof array / sizeof((array)[0]))

/* The value of `word` if it begins with `name`, which ends in "=". */
static const char *value_of(const char *word, const char *name)
{
    size_t size = strlen(name);

    return strncmp(word, name, size) == 0 ? word + size : NULL;
}

/*
 * Seconds with up to three digits after the point, as milliseconds. Not strtod: it takes "inf",
 * "0x1p3" and the decimal comma of a locale.
 */
static bool parse_seconds(const char *text, int64_t *ret_ms)
{
    int64_t ms = 0;
    int64_t unit = 1000;
    bool seen = false;
    bool point = false;

    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (*text < '0' || *text > '9' || ms > OPTIONS_CACHE_MAX_MS) {
            return false;
        }
        seen = true;
        if (point) {
            unit /= 10;
            ms += (*text - '0') * unit;
        } else {
            ms = ms * 10 + (int64_t)(*text - '0') * 1000;
        }
    }
    *ret_ms = ms;
    return seen;
}

static enum status set_seconds(const char *word, const char *value, int64_t min_ms,
                               int64_t max_ms, int64_t *ret_ms, struct error *error)
{
    int64_t ms;

    if (!parse_seconds(value, &ms) || ms < min_ms || ms > max_ms) {
        return error_set(error, STATUS_BAD_MESSAGE,
                         "option %.80s: a number of seconds from %g to %g", word,
                         (double)min_ms / 1000, (double)max_ms / 1000);
    }
    *ret_ms = ms;
    return STATUS_OK;
}

static enum status set_quorum(const char *word, const char *value, uint8_t *ret_count,
                              struct error *error)
{
    if (value[0] < '1' || value[0] > '0' + REPLICAS_MAX || value[1] != '\0') {
        return error_set(error, STATUS_BAD_MESSAGE, "option %.80s: a number from 1 to %d", word,
                         REPLICAS_MAX);
    }
    *ret_count = (uint8_t)(value[0] - '0');
    return STATUS_OK;
}

/* Appends one word to what libfuse is told; commas and backslashes in it are its own. */
static void append_fuse_word(struct buffer *fuse, const char *word)
{
    if (fuse->size > 0) {
        buffer_append_byte(fuse, ',');
    }
    for (; *word != '\0'; word++) {
        if (*word == ',' || *word == '\\') {
            buffer_append_byte(fuse, '\\');
        }
        buffer_append_byte(fuse, (uint8_t)*word);
    }
}

static enum status apply_fuse_word(struct options *options, struct buffer *fuse,
                                   const char *word, struct error *error)
{
    if (is_listed(word, FSTAB_WORDS, COUNT_OF(FSTAB_WORDS)) ||
        is_listed(word, ACCESS_TIME_WORDS, COUNT_OF(ACCESS_TIME_WORDS)) ||
        has_listed_prefix(word, FSTAB_PREFIXES, COUNT_OF(FSTAB_PREFIXES))) {
        return STATUS_OK;
    }
    if (strcmp(word, "debug") == 0) {
        options->debug = true;
        options->foreground = true;
        return STATUS_OK;
    }
    if (!is_listed(word, FUSE_WORDS, COUNT_OF(FUSE_WORDS)) &&
        !has_listed_prefix(word, FUSE_VALUES, COUNT_OF(FUSE_VALUES))) {
        return error_set(error, STATUS_BAD_MESSAGE, "unknown option -o %.120s", word);
    }
    if (strcmp(word, "ro") == 0) {
        options->read_only = true;
    } else if (strcmp(word, "rw") == 0) {
        options->read_only = false;
    }
    append_fuse_word(fuse, word);
    return STATUS_OK;
}

static enum status set_text(char **target, const char *name, const char *value,
                            struct error *error)
{
    char *copy;

    if (value[0] == '\0') {
        return error_set(error, STATUS_BAD_MESSAGE, "%s: is empty", name);
    }
    copy = strdup(value);
    if (!copy) {
        return no_memory(error);
    }
    free(*target);
    *target = copy;
    return STATUS_OK;
}

/* What says how the own node runs, also as a word of -o: fstab has no room for anything else.
 * False if `word` is none of them. */
static bool apply_node_word(struct options *options, const char *word, enum status *ret_status,
                            struct error *error)
{
    const struct {
        const char *name;
        char **target;
    } words[] = {
        {"data=", &options->data},
        {"join=", &options->join},
        {"listen=", &options->listen},
        {"secret-file=", &options->secret_file},
    };

    if (strcmp(word, "insecure") == 0) {
        options->insecure = true;
        *ret_status = STATUS_OK;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        const char *value = value_of(word, words[i].name);

        if (value) {
            *ret_status = set_text(words[i].target, words[i].name, value, error);
            return true;
        }
    }
    return false;
}

/* One word of -o. */
static enum status apply_word(struct options *options, struct buffer *fuse, const char *word,
                              struct error *error)
{
    const char *value;
    int64_t ms;
    enum status status;

    if (apply_node_word(options, word, &status, error)) {
        return status;
    }
    if ((value = value_of(word, "r="))) {
        return set_quorum(word, value, &options->r, error);
    }
    if ((value = value_of(word, "w="))) {
        return set_quorum(word, value, &options->w, error);
    }
    if ((value = value_of(word, "timeout="))) {
        status = set_seconds(word, value, OPTIONS_TIMEOUT_MIN_MS, OPTIONS_TIMEOUT_MAX_MS, &ms,
                             error);
        if (status == STATUS_OK) {
            options->timeout_ms = (uint32_t)ms;
        }
        return status;
    }
    if ((value = value_of(word, "attr_timeout="))) {
        return set_seconds(word, value, 0, OPTIONS_CACHE_MAX_MS, &options->attr_timeout_ms,
                           error);
    }
    if ((value = value_of(word, "entry_timeout="))) {
        return set_seconds(word, value, 0, OPTIONS_CACHE_MAX_MS, &options->entry_timeout_ms,
                           error);
    }
    return apply_fuse_word(options, fuse, word, error);
}

/* Copies the first word of a list without its backslashes. Returns where the next begins. */
static const char *take_word(const char *list, char *ret_word)
{
    while (*list != '\0' && *list != ',') {
        if (*list == '\\' && list[1] != '\0') {
            list++;
        }
        *ret_word++ = *list++;
    }
    *ret_word = '\0';
    return *list == ',' ? list + 1 : list;
}

/* A comma-separated list of -o; a backslash keeps a comma in its word, as in libfuse. */
static enum status apply_list(struct options *options, struct buffer *fuse, const char *list,
                              struct error *error)
{
    char *word = malloc(strlen(list) + 1);
    enum status status = STATUS_OK;

    if (!word) {
        return no_memory(error);
    }
    while (status == STATUS_OK && *list != '\0') {
        list = take_word(list, word);
        if (word[0] != '\0') {
            status = apply_word(options, fuse, word, error);
        }
    }
    free(word);
    return status;
}

static enum status check_addresses(const struct options *options, struct error *error)
{
    const struct {
        const char *name;
        const char *value;
        bool is_valid;
    } given[] = {
        {"--cluster", options->cluster,
         !options->cluster || address_list_is_valid(options->cluster)},
        {"--join", options->join, !options->join || address_list_is_valid(options->join)},
        {"--listen", options->listen,
         !options->listen || address_text_is_valid(options->listen, true)},
    };

    for (size_t i = 0; i < COUNT_OF(given); i++) {
        if (!given[i].is_valid) {
            return error_set(error, STATUS_BAD_MESSAGE, "%s %.120s: not of the form HOST:PORT",
                             given[i].name, given[i].value);
        }
    }
    return STATUS_OK;
}

static enum status apply_option(struct options *options, struct buffer *fuse, int key,
                                struct error *error)
{
    switch (key) {
    case LONG_CLUSTER:
        return set_text(&options->cluster, "--cluster", optarg, error);
    case LONG_JOIN:
        return set_text(&options->join, "--join", optarg, error);
    case LONG_DATA:
        return set_text(&options->data, "--data", optarg, error);
    case LONG_LISTEN:
        return set_text(&options->listen, "--listen", optarg, error);
    case LONG_EXPECT:
        return set_text(&options->expect, "--expect", optarg, error);
    case LONG_SECRET_FILE:
        return set_text(&options->secret_file, "--secret-file", optarg, error);
    case LONG_INSECURE:
        options->insecure = true;
        return STATUS_OK;
    case 'o':
        return apply_list(options, fuse, optarg, error);
    case 'd':
        options->debug = true;
        options->foreground = true;
        return STATUS_OK;
    case 'f':
        options->foreground = true;
        return STATUS_OK;
    case 'h':
        options->help = true;
        return STATUS_OK;
    default:
        assert(key == 'V');
        options->version = true;
        return STATUS_OK;
    }
}

static enum status bad_option(int key, char *argv[], struct error *error)
{
    const char *word = argv[optind - 1];

    if (key == ':') {
        return error_set(error, STATUS_BAD_MESSAGE, "option %.80s needs a value", word);
    }
    if (optopt != 0 && optopt < LONG_CLUSTER && strncmp(word, "--", 2) != 0) {
        return error_set(error, STATUS_BAD_MESSAGE, "unknown option -%c", optopt);
    }
    return error_set(error, STATUS_BAD_MESSAGE, "unknown option %.120s", word);
}

/* The options alone; what is left begins at optind. */
static enum status parse_switches(int argc, char *argv[], struct options *options,
                                  struct buffer *fuse, struct error *error)
{
    enum status status = STATUS_OK;
    int key;

    optind = 0;
    opterr = 0;
    while (status == STATUS_OK &&
           (key = getopt_long(argc, argv, ":o:fdhV", LONG_OPTIONS, NULL)) != -1) {
        if (key == ':' || key == '?') {
            return bad_option(key, argv, error);
        }
        status = apply_option(options, fuse, key, error);
    }
    return status;
}

/* True if -o fsname= was given, behind the one that is always there. */
static bool is_named(const struct buffer *fuse)
{
    static const char WORD[] = ",fsname=";

    return memmem(fuse->data, fuse->size, WORD, sizeof WORD - 1);
}

/*
 * mount(8) calls with two arguments for a line of fstab: its first field, and the mountpoint.
 * The first is the cluster; "dynamofs" and "none" stand for no cluster. The kernel is told it
 * as it stands there, or `mount -a` would not find that the line is mounted already.
 */
static enum status apply_source(struct options *options, struct buffer *fuse,
                                const char *source, struct error *error)
{
    bool is_none = strcmp(source, "dynamofs") == 0 || strcmp(source, "none") == 0;
    char *name = NULL;

    if (!is_none && (options->cluster || !strchr(source, ':'))) {
        return error_set(error, STATUS_BAD_MESSAGE, "one mountpoint expected, not also %.120s",
                         source);
    }
    if (!is_named(fuse)) {
        if (asprintf(&name, "fsname=%s", source) < 0) {
            return no_memory(error);
        }
        append_fuse_word(fuse, name);
        free(name);
    }
    return is_none ? STATUS_OK : set_text(&options->cluster, "the cluster", source, error);
}

static enum status apply_arguments(int argc, char *argv[], struct options *options,
                                   struct buffer *fuse, struct error *error)
{
    enum status status = STATUS_OK;

    if (argc < 1) {
        return error_set(error, STATUS_BAD_MESSAGE, "no mountpoint given; see dynamofs --help");
    }
    if (argc > 2) {
        return error_set(error, STATUS_BAD_MESSAGE, "one mountpoint expected, not also %.120s",
                         argv[1]);
    }
    if (argc == 2) {
        status = apply_source(options, fuse, argv[0], error);
    }
    if (status == STATUS_OK) {
        status = set_text(&options->mountpoint, "the mountpoint", argv[argc - 1], error);
    }
    return status;
}

static enum status check_combination(const struct options *options, struct error *error)
{
    const char *name = options->join       ? "--join"
                       : options->data     ? "--data"
                       : options->listen   ? "--listen"
                       : options->expect   ? "--expect"
                       : options->insecure ? "--insecure"
                                           : NULL;

    if (options->cluster && name) {
        return error_set(error, STATUS_BAD_MESSAGE,
                         "%s is for a node of its own and cannot be given with --cluster",
                         name);
    }
    return STATUS_OK;
}

/* Takes what was gathered for libfuse, and adds what is always on. */
static enum status finish_fuse(struct options *options, struct buffer *fuse,
                               struct error *error)
{
    append_fuse_word(fuse, "default_permissions");
    buffer_append_byte(fuse, '\0');
    if (fuse->failed) {
        return no_memory(error);
    }
    options->fuse = strdup((const char *)fuse->data);
    return options->fuse ? STATUS_OK : no_memory(error);
}

enum status options_parse(int argc, char *argv[], struct options *ret_options,
                          struct error *error)
{
    struct options options = {.attr_timeout_ms = -1, .entry_timeout_ms = -1};
    struct buffer fuse = {0};
    enum status status;

    assert(argc > 0 && argv);
    assert(ret_options && error);
    append_fuse_word(&fuse, "fsname=dynamofs");
    append_fuse_word(&fuse, "subtype=dynamofs");
    status = parse_switches(argc, argv, &options, &fuse, error);
    if (status == STATUS_OK && !options.help && !options.version) {
        status = apply_arguments(argc - optind, argv + optind, &options, &fuse, error);
        if (status == STATUS_OK) {
            status = check_combination(&options, error);
        }
        if (status == STATUS_OK) {
            status = check_addresses(&options, error);
        }
    }
    if (status == STATUS_OK) {
        status = finish_fuse(&options, &fuse, error);
    }
    buffer_release(&fuse);
    if (status != STATUS_OK) {
        options_release(&options);
        return status;
    }
    *ret_options = options;
    return STATUS_OK;
}

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
        return no_memory(error);
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
            return no_memory(error);
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
        return no_memory(error);
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

void options_release(struct options *options)
{
    assert(options);
    free(options->mountpoint);
    free(options->cluster);
    free(options->join);
    free(options->data);
    free(options->listen);
    free(options->secret_file);
    free(options->expect);
    free(options->fuse);
    *options = (struct options){0};
}

const char *options_help(void)
{
    return HELP;
}
