/*
 * ctl_value.c - dynamoctl get, put and delete.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "node/base/now.h"
#include "node/dynamoctl/ctl.h"

enum { MODE_FILE = 0644, MODE_DIRECTORY = 0755 };

static void print_dot_json(struct json *json, struct dot dot)
{
    json_object_begin(json, "dot");
    json_identity(json, "node", dot.actor.node);
    json_unsigned(json, "birth", dot.actor.birth);
    json_unsigned(json, "counter", dot.counter);
    json_object_end(json);
}

static void print_version_json(struct json *json, const struct version *version,
                               uint32_t number)
{
    json_object_begin(json, NULL);
    json_unsigned(json, "number", number);
    print_dot_json(json, version->dot);
    ctl_json_attributes(json, &version->attributes);
    json_hex(json, "sha256", slice_of(version->content_hash, CONTENT_HASH_SIZE));
    if (version->attributes.type == VERSION_LARGE_FILE) {
        json_null(json, "content");
    } else {
        json_content(json, blob_slice(version->content));
    }
    json_object_end(json);
}

/* Contents that are no text stay off the terminal; --raw and --json have them. */
static void print_content(struct slice content)
{
    if (content.size == 0) {
        return;
    }
    if (!utf8_is_valid(content) || memchr(content.data, '\0', content.size) ||
        memchr(content.data, '\033', content.size)) {
        puts("(no text: see --raw)");
        return;
    }
    fwrite(content.data, 1, content.size, stdout);
    if (content.data[content.size - 1] != '\n') {
        putchar('\n');
    }
}

static void print_version(const struct version *version, uint32_t number, uint32_t count)
{
    char mode[CTL_MODE_TEXT];
    char time[CTL_TIME_TEXT];
    ctl_format_mode(&version->attributes, mode);
    ctl_format_time(version->attributes.modified_ns, time);
    printf("version %u of %u: %s %" PRIu64 " bytes, %s, by node %016" PRIx64 "\n",
           (unsigned)number, (unsigned)count, mode, version->attributes.size, time,
           version->dot.actor.node);
    if (version->attributes.type == VERSION_LARGE_FILE) {
        puts("(in blocks: see --raw)");
    } else {
        print_content(blob_slice(version->content));
    }
}

/* The groups [first, last) of the view that the command line asks for. */
struct range {
    uint32_t first;
    uint32_t last;
};

static void print_object_json(const struct ctl *ctl, struct json *json,
                              const struct object *object, const struct view *view,
                              struct range range)
{
    json_object_begin(json, NULL);
    json_bytes(json, "key", slice_of_string(ctl->arguments[0]));
    json_bool(json, "found", view->count > 0);
    if (object) {
        ctl_json_context(json, &object->clock);
    } else {
        json_null(json, "context");
    }
    json_array_begin(json, "versions");
    for (uint32_t i = range.first; i < range.last; i++) {
        print_version_json(json, view->groups[i].newest, i + 1);
    }
    json_array_end(json);
    json_object_end(json);
}

/* False when memory is short. */
static bool print_object(const struct ctl *ctl, const struct object *object,
                         const struct view *view, struct range range)
{
    if (ctl->json) {
        struct json json = {.out = stdout};
        print_object_json(ctl, &json, object, view, range);
        return !json.failed;
    }
    if (view->count == 0) {
        return true;
    }
    fputs("context ", stdout);
    if (!ctl_print_context(stdout, &object->clock)) {
        return false;
    }
    for (uint32_t i = range.first; i < range.last; i++) {
        print_version(view->groups[i].newest, i + 1, view->count);
    }
    return true;
}

/* The content of the newest version, or of the one that was asked for, and nothing else. */
static int show_raw(const struct ctl *ctl, struct kv *kv, const struct view *view)
{
    uint32_t chosen = ctl->version > 0 ? ctl->version : view->count;
    const struct version *version = view->groups[chosen - 1].newest;
    struct slice content = blob_slice(version->content);

    if (version->attributes.type == VERSION_LARGE_FILE) {
        return ctl_write_large(ctl, kv, version);
    }
    fwrite(content.data, 1, content.size, stdout);
    return CTL_OK;
}

static int show(const struct ctl *ctl, struct kv *kv, const struct object *object)
{
    struct view view;
    if (view_build(object, &view) != STATUS_OK) {
        return ctl_fail(ctl, ctl->arguments[0], STATUS_NO_MEMORY);
    }
    struct range range = {0, view.count};
    int code = CTL_OK;
    if (ctl->version > view.count && view.count > 0) {
        ctl_complain(ctl, ctl->arguments[0], "no version of that number");
        code = CTL_NOT_FOUND;
        goto out;
    }
    if (ctl->version > 0 && view.count > 0) {
        range = (struct range){ctl->version - 1, ctl->version};
    }
    if (ctl->raw && !ctl->json && view.count > 0) {
        code = show_raw(ctl, kv, &view);
    } else if (!print_object(ctl, object, &view, range)) {
        code = ctl_fail(ctl, ctl->arguments[0], STATUS_NO_MEMORY);
    }
out:
    view_release(&view);
    return code;
}

int ctl_get(struct ctl *ctl)
{
    const char *key = ctl->arguments[0];
    struct kv *kv = NULL;
    if (key_is_internal(slice_of_string(key))) {
        return ctl_fail(ctl, key, STATUS_BAD_KEY);
    }
    if (!ctl_open(ctl, &kv)) {
        return CTL_FAILURE;
    }
    struct object *object = NULL;
    enum status status = kv_get(kv, slice_of_string(key), NULL, &object);
    int code = CTL_OK;
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        code = show(ctl, kv, object);
    }
    if (status != STATUS_OK && code == CTL_OK) {
        code = ctl_fail(ctl, key, status);
    }
    object_unref(object);
    kv_close(kv);
    return code;
}

/* Reads all of `fd`, at most one byte more than a value may have. */
static enum status read_all(int fd, struct buffer *content)
{
    enum { READ_SIZE = 64 << 10 };
    while (content->size <= VALUE_SIZE_MAX) {
        uint8_t *space = buffer_reserve(content, READ_SIZE);
        if (!space) {
            return STATUS_NO_MEMORY;
        }
        ssize_t size = read(fd, space, READ_SIZE);
        content->size -= READ_SIZE - (size > 0 ? (size_t)size : 0);
        if (size == 0) {
            return STATUS_OK;
        }
        if (size < 0 && errno != EINTR) {
            return STATUS_IO;
        }
    }
    return STATUS_TOO_LARGE;
}

/* Reads FILE, or standard input for none and `-`. Complains and returns false if that fails. */
static bool read_content(const struct ctl *ctl, struct buffer *content)
{
    const char *file = ctl->argument_count > 1 ? ctl->arguments[1] : "-";
    bool is_input = strcmp(file, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    enum status status = fd < 0 ? STATUS_IO : read_all(fd, content);
    char reason[128];
    if (status == STATUS_IO) {
        ctl_complain(ctl, file, strerror_r(errno, reason, sizeof reason));
    } else if (status == STATUS_TOO_LARGE) {
        snprintf(reason, sizeof reason, "over the limit of %d bytes: write it through a mount",
                 VALUE_SIZE_MAX);
        ctl_complain(ctl, file, reason);
    } else if (status != STATUS_OK) {
        ctl_complain(ctl, file, status_text(status));
    }
    if (!is_input && fd >= 0) {
        close(fd);
    }
    return status == STATUS_OK;
}

static bool fill_attributes(bool is_directory, struct attributes *ret_attributes)
{
    uint64_t file_id = 0;
    if (getrandom(&file_id, sizeof file_id, 0) != sizeof file_id) {
        return false;
    }
    int64_t ns = (int64_t)now_wall_ns();
    *ret_attributes = (struct attributes){
        .type = is_directory ? VERSION_DIRECTORY : VERSION_FILE,
        .mode = is_directory ? MODE_DIRECTORY : MODE_FILE,
        .user = (uint32_t)getuid(),
        .group = (uint32_t)getgid(),
        .accessed_ns = ns,
        .modified_ns = ns,
        .changed_ns = ns,
        .modified_set_ns = ns,
        .mode_set_ns = ns,
        .owner_set_ns = ns,
        .file_id = file_id ? file_id : 1,
    };
    return true;
}

/* Tells what is under the key now. */
static int report_write(const struct ctl *ctl, const struct object *row)
{
    bool failed = false;
    if (ctl->json) {
        struct json json = {.out = stdout};
        json_object_begin(&json, NULL);
        json_bytes(&json, "key", slice_of_string(ctl->arguments[0]));
        ctl_json_context(&json, &row->clock);
        json_unsigned(&json, "versions", row->version_count);
        json_object_end(&json);
        failed = json.failed;
    } else {
        failed = !ctl_print_context(stdout, &row->clock);
    }
    /* The write itself stands. */
    return failed ? ctl_fail(ctl, ctl->arguments[0], STATUS_NO_MEMORY) : CTL_OK;
}

/* Puts or deletes, with the clock of `seen` (NULL: none) as the context. */
static int write_key(const struct ctl *ctl, struct kv *kv, const struct version *value,
                     const struct object *seen)
{
    struct kv_put put = {
        .key = slice_of_string(ctl->arguments[0]),
        .mode = UPDATE_ALL,
        .value = value,
        .sync = ctl->sync,
    };
    if (seen) {
        put.context = seen->clock;
    }
    struct object *row = NULL;
    enum status status = kv_put(kv, &put, NULL, &row);
    if (status != STATUS_OK) {
        return ctl_fail(ctl, ctl->arguments[0], status);
    }
    int code = report_write(ctl, row);
    object_unref(row);
    return code;
}

/* Reads --context, if it was given. Complains and returns false if it is none. */
static bool read_context(const struct ctl *ctl, struct object **ret_seen)
{
    if (!ctl->context) {
        return true;
    }
    if (kv_context_parse(slice_of_string(ctl->context), ret_seen) != STATUS_OK) {
        ctl_complain(ctl, ctl->arguments[0],
                     "--context is not one that get or put has printed");
        return false;
    }
    return true;
}

int ctl_put(struct ctl *ctl)
{
    struct slice key = slice_of_string(ctl->arguments[0]);
    struct version value = {0};
    struct buffer content = {0};
    struct object *seen = NULL;
    struct kv *kv = NULL;
    int code = CTL_USAGE;
    if (!key_is_valid(key) || key_is_internal(key)) {
        code = ctl_fail(ctl, ctl->arguments[0], STATUS_BAD_KEY);
        goto out;
    }
    bool is_directory = key_is_directory(key);
    if (is_directory && ctl->argument_count > 1) {
        ctl_complain(ctl, ctl->arguments[0], "a directory has no content: leave the file out");
        goto out;
    }
    if (!read_context(ctl, &seen)) {
        goto out;
    }
    code = CTL_FAILURE;
    if (!is_directory && !read_content(ctl, &content)) {
        goto out;
    }
    value.content = blob_new(buffer_slice(&content));
    if (!value.content || !fill_attributes(is_directory, &value.attributes)) {
        code = ctl_fail(ctl, ctl->arguments[0], STATUS_NO_MEMORY);
        goto out;
    }
    if (ctl_open(ctl, &kv)) {
        code = write_key(ctl, kv, &value, seen);
    }
out:
    kv_close(kv);
    object_unref(seen);
    blob_unref(value.content);
    buffer_release(&content);
    return code;
}

static int delete_all(const struct ctl *ctl, struct kv *kv)
{
    struct object *seen = NULL;
    enum status status = kv_get(kv, slice_of_string(ctl->arguments[0]), NULL, &seen);
    if (status != STATUS_OK) {
        object_unref(seen);
        ctl_complain(ctl, ctl->arguments[0], status_text(status)); /* nothing was written */
        return status == STATUS_NOT_FOUND ? CTL_NOT_FOUND : CTL_FAILURE;
    }
    int code = write_key(ctl, kv, NULL, seen);
    object_unref(seen);
    return code;
}

int ctl_delete(struct ctl *ctl)
{
    if (ctl->all == (ctl->context != NULL)) {
        ctl_complain(ctl, ctl->arguments[0],
                     ctl->all ? "--context and --all exclude each other"
                              : "say which versions: --context CTX, or --all");
        return CTL_USAGE;
    }
    if (key_is_internal(slice_of_string(ctl->arguments[0]))) {
        return ctl_fail(ctl, ctl->arguments[0], STATUS_BAD_KEY);
    }
    struct object *seen = NULL;
    if (!read_context(ctl, &seen)) {
        return CTL_USAGE;
    }
    struct kv *kv = NULL;
    int code = CTL_FAILURE;
    if (ctl_open(ctl, &kv)) {
        code = ctl->all ? delete_all(ctl, kv) : write_key(ctl, kv, NULL, seen);
    }
    kv_close(kv);
    object_unref(seen);
    return code;
}
