/*
 * make_large.c - puts a large file, as a mount does it, and tells of its blocks; or does to a
 *                block what nobody should.
 *
 * usage: make_large CLUSTER KEY BLOCKS
 *        make_large CLUSTER KEY delete|spoil
 *
 * The first prints the block set, and the id of each block, in hexadecimal, one a line. KEY may
 * be an internal one in the second, which puts another content over what is there, or nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/client/block_set.h"

enum { COUNT_MAX = 64 };

static void print_hex(const void *bytes, size_t size)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < size; i++) {
        printf("%02x", byte[i]);
    }
    putchar('\n');
}

static void check(enum status status, const char *what)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "make_large: %s: %s\n", what, status_text(status));
        exit(1);
    }
}

static void put_manifest(struct kv *kv, struct slice key, const struct manifest *manifest)
{
    struct buffer bytes = {0};

    manifest_append(&bytes, manifest);
    struct version value = {
        .attributes = {.type = VERSION_LARGE_FILE, .mode = 0644, .size = manifest->size},
        .content = blob_new(buffer_slice(&bytes))};
    struct kv_put put = {.key = key, .mode = UPDATE_ALL, .value = &value};
    check(kv_put(kv, &put, NULL, NULL), "the file");
    blob_unref(value.content);
    buffer_release(&bytes);
}

static void harm(struct kv *kv, struct slice key, bool spoil)
{
    struct object *object = NULL;
    struct version value = {.attributes = {.type = VERSION_FILE, .mode = 0644},
                            .content = blob_new(slice_of_string("spoilt"))};

    check(kv_get(kv, key, NULL, &object), "the key");
    struct kv_put put = {.key = key,
                         .mode = UPDATE_ALL,
                         .context = object->clock,
                         .value = spoil ? &value : NULL};
    check(kv_put(kv, &put, NULL, NULL), "the key");
    blob_unref(value.content);
    object_unref(object);
}

static void make(struct kv *kv, struct slice key, uint32_t count)
{
    static uint8_t bytes[BLOCK_SIZE];
    static const struct kv_options defaults;
    struct block_entry entries[COUNT_MAX];
    struct manifest manifest = {.size = (uint64_t)count * BLOCK_SIZE, .count = count};

    check(block_set_new(&manifest.set), "a set");
    check(block_set_announce(kv, &manifest.set, 0, &defaults), "its announcement");
    print_hex(&manifest.set, sizeof manifest.set);
    for (uint32_t i = 0; i < count; i++) {
        struct block_place place = {.set = manifest.set, .index = i};
        bytes[0] = (uint8_t)(i + 1);
        struct blob *content = blob_new(slice_of(bytes, sizeof bytes));
        check(content ? STATUS_OK : STATUS_NO_MEMORY, "a block");
        check(block_put(kv, &place, content, &defaults, &entries[i]), "a block");
        print_hex(entries[i].id, sizeof entries[i].id);
        blob_unref(content);
    }
    check(block_set_name(kv, &manifest.set, key, &defaults), "its path");
    manifest.entries = slice_of(entries, count * sizeof entries[0]);
    put_manifest(kv, key, &manifest);
}

int main(int argc, char **argv)
{
    struct kv *kv = NULL;
    struct error error;
    const char *what = argc == 4 ? argv[3] : "";
    bool is_harm = strcmp(what, "delete") == 0 || strcmp(what, "spoil") == 0;
    uint32_t count = (uint32_t)strtoul(what, NULL, 10);

    if (!is_harm && (count == 0 || count > COUNT_MAX)) {
        fputs("usage: make_large CLUSTER KEY BLOCKS|delete|spoil\n", stderr);
        return 2;
    }
    check(kv_open_cluster(argv[1], NULL, &kv, &error), "the cluster");
    if (is_harm) {
        harm(kv, slice_of_string(argv[2]), what[0] == 's');
    } else {
        make(kv, slice_of_string(argv[2]), count);
    }
    kv_close(kv);
    return 0;
}
