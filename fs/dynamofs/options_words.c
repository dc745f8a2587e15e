/*
 * options_words.c - the words of -o: those of dynamofs, of libfuse and of /etc/fstab.
 */
#include "fs/dynamofs/options_words.h"

#include <stdlib.h>
#include <string.h>

#include "node/base/error.h"
#include "ring/ring.h"

/* The greatest one means none. */
#define USER_ID_MAX (UINT32_MAX - 1)

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

enum status options_no_memory(struct error *error)
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
        if (*text < '0' || *text > '9' || ms > OPTIONS_GRACE_MAX_MS) {
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
                         "option %.80s: a number of seconds from %.7g to %.7g", word,
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

/* A number of at most `max`; the base is 10 or 8. Not strtoul: it takes signs and spaces. */
static bool parse_number(const char *text, unsigned base, uint32_t max, uint32_t *ret_number)
{
    uint64_t number = 0;
    bool seen = false;

    for (; *text >= '0' && (unsigned)(*text - '0') < base && number <= max; text++) {
        number = number * base + (unsigned)(*text - '0');
        seen = true;
    }
    *ret_number = (uint32_t)number;
    return seen && *text == '\0' && number <= max;
}

/* uid=, gid= and umask=. False if `word` is none of them. */
static bool apply_ownership(struct fs_ownership *ownership, const char *word,
                            enum status *ret_status, struct error *error)
{
    const struct {
        const char *name;
        bool *has;
        uint32_t *target;
        unsigned base;
        uint32_t max;
        const char *what;
    } words[] = {
        {"uid=", &ownership->has_user, &ownership->user, 10, USER_ID_MAX, "a user's number"},
        {"gid=", &ownership->has_group, &ownership->group, 10, USER_ID_MAX, "a group's number"},
        {"umask=", &ownership->has_umask, &ownership->umask, 8, 0777,
         "an octal number to 0777"},
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        const char *value = value_of(word, words[i].name);

        if (value) {
            *words[i].has = true;
            *ret_status = parse_number(value, words[i].base, words[i].max, words[i].target)
                              ? STATUS_OK
                              : error_set(error, STATUS_BAD_MESSAGE, "option %.80s: %s", word,
                                          words[i].what);
            return true;
        }
    }
    return false;
}

void options_add_for_fuse(struct buffer *fuse, const char *word)
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
        return options->is_sloppy
                   ? STATUS_OK
                   : error_set(error, STATUS_BAD_MESSAGE, "unknown option -o %.120s", word);
    }
    if (strcmp(word, "ro") == 0) {
        options->read_only = true;
    } else if (strcmp(word, "rw") == 0) {
        options->read_only = false;
    }
    options_add_for_fuse(fuse, word);
    return STATUS_OK;
}

enum status options_set_text(char **target, const char *name, const char *value,
                             struct error *error)
{
    char *copy;

    if (value[0] == '\0') {
        return error_set(error, STATUS_BAD_MESSAGE, "%s: is empty", name);
    }
    copy = strdup(value);
    if (!copy) {
        return options_no_memory(error);
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
            *ret_status = options_set_text(words[i].target, words[i].name, value, error);
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

    if (apply_node_word(options, word, &status, error) ||
        apply_ownership(&options->ownership, word, &status, error)) {
        return status;
    }
    if ((value = value_of(word, "siblings="))) {
        options->hide_siblings = strcmp(value, "hide") == 0;
        return options->hide_siblings || strcmp(value, "show") == 0
                   ? STATUS_OK
                   : error_set(error, STATUS_BAD_MESSAGE, "option %.80s: show or hide", word);
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
    if ((value = value_of(word, "block_grace="))) {
        return set_seconds(word, value, OPTIONS_GRACE_MIN_MS, OPTIONS_GRACE_MAX_MS,
                           &options->block_grace_ms, error);
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

enum status options_apply_list(struct options *options, struct buffer *fuse, const char *list,
                               struct error *error)
{
    char *word = malloc(strlen(list) + 1);
    enum status status = STATUS_OK;

    if (!word) {
        return options_no_memory(error);
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
