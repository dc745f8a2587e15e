/*
 * ctl_list.c - dynamoctl ls.
 *
 * Pages are printed as they come. A page that fails ends the output with an error, and JSON
 * unclosed: a listing is never just shorter.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "node/dynamoctl/ctl.h"

enum { PAGE_ROWS = 512 };

/* What people type for a directory, as its key: `a/b`, `/a/b` and `a/b/` are one. False if it
 * is no legal key. */
static bool directory_key(const char *text, struct buffer *ret_key)
{
    text += strspn(text, "/");
    size_t size = strlen(text);
    buffer_append(ret_key, text, size);
    if (size == 0 || text[size - 1] != '/') {
        buffer_append_byte(ret_key, '/');
    }
    return !ret_key->failed && key_is_valid(buffer_slice(ret_key));
}

static void print_row(const struct row *row, uint32_t count)
{
    const struct attributes *attributes = &object_newest(row->object)->attributes;
    char mode[CTL_MODE_TEXT];
    char time[CTL_TIME_TEXT];
    ctl_format_mode(attributes, mode);
    ctl_format_time(attributes->modified_ns, time);
    printf("%s %2u %5u %5u ", mode, (unsigned)count, (unsigned)attributes->user,
           (unsigned)attributes->group);
    if (ctl_is_device(attributes)) {
        printf("%3u, %3u %s ", major(attributes->size), minor(attributes->size), time);
    } else {
        printf("%8" PRIu64 " %s ", attributes->size, time);
    }
    ctl_print_name(stdout, blob_slice(row->name));
    puts(row->kind == ROW_DIRECTORY ? "/" : "");
}

static void print_row_json(struct json *json, const struct row *row, uint32_t count)
{
    json_object_begin(json, NULL);
    json_bytes(json, "name", blob_slice(row->name));
    json_unsigned(json, "versions", count);
    ctl_json_attributes(json, &object_newest(row->object)->attributes);
    json_object_end(json);
}

static enum status print_rows(struct json *json, const struct kv_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->rows[i];
        struct view view;
        enum status status = view_build(row->object, &view);
        if (status != STATUS_OK) {
            return status;
        }
        if (json) {
            print_row_json(json, row, view.count);
        } else {
            print_row(row, view.count);
        }
        view_release(&view);
    }
    return STATUS_OK;
}

static enum status print_pages(struct kv *kv, struct slice key, struct json *json,
                               size_t *ret_count)
{
    struct kv_list list = {.directory = key, .limit = PAGE_ROWS, .after_start = true};
    struct kv_rows rows = {0};
    struct blob *start = NULL;
    enum status status;
    bool more = true;
    *ret_count = 0;
    do {
        status = kv_list(kv, &list, NULL, &rows);
        if (status != STATUS_OK) {
            break;
        }
        status = print_rows(json, &rows);
        *ret_count += rows.count;
        more = rows.more;
        blob_unref(start);
        start = blob_ref(rows.resume);
        list.start = blob_slice(start);
        kv_rows_release(&rows);
    } while (more && status == STATUS_OK);
    blob_unref(start);
    return status;
}

/* An empty directory and none at all list alike; only the directory itself tells. */
static enum status check_directory(struct kv *kv, struct slice key)
{
    if (key_is_root(key)) {
        return STATUS_OK;
    }
    struct object *object = NULL;
    enum status status = kv_get(kv, key, NULL, &object);
    object_unref(object);
    return status;
}

static enum status list_directory(struct kv *kv, struct slice key, struct json *json)
{
    size_t count = 0;
    if (json) {
        json_object_begin(json, NULL);
        json_bytes(json, "directory", key);
        json_array_begin(json, "rows");
    }
    enum status status = print_pages(kv, key, json, &count);
    if (status == STATUS_OK && count == 0) {
        status = check_directory(kv, key);
    }
    if (json && (status == STATUS_OK || status == STATUS_NOT_FOUND)) {
        json_array_end(json);
        json_bool(json, "found", status == STATUS_OK);
        json_object_end(json);
    }
    return status;
}

int ctl_ls(struct ctl *ctl)
{
    const char *subject = ctl->argument_count > 0 ? ctl->arguments[0] : "/";
    struct json json = {.out = stdout};
    struct buffer key = {0};
    struct kv *kv = NULL;
    int code = CTL_FAILURE;
    if (!directory_key(subject, &key)) {
        code = ctl_fail(ctl, subject, key.failed ? STATUS_NO_MEMORY : STATUS_BAD_KEY);
        goto out;
    }
    if (!ctl_open(ctl, &kv)) {
        goto out;
    }
    enum status status = list_directory(kv, buffer_slice(&key), ctl->json ? &json : NULL);
    if (status == STATUS_OK && json.failed) {
        status = STATUS_NO_MEMORY;
    }
    if (status == STATUS_NOT_FOUND) {
        ctl_complain(ctl, subject, "no such directory");
        code = CTL_NOT_FOUND;
    } else {
        code = status == STATUS_OK ? CTL_OK : ctl_fail(ctl, subject, status);
    }
out:
    kv_close(kv);
    buffer_release(&key);
    return code;
}
