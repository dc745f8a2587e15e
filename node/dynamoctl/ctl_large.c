/*
 * ctl_large.c - the content of a file that is kept in blocks.
 */
#include "node/client/block_set.h"
#include "node/dynamoctl/ctl.h"

/* One file on its way out. */
struct output {
    struct kv *kv;
    struct manifest manifest;
    struct kv_options options;
};

static enum status fetch(const struct output *output, uint32_t index,
                         const struct block_entry *entry, struct blob **ret_content)
{
    struct block_place place = {.set = output->manifest.set, .index = index};

    return block_get(output->kv, &place, entry, &output->options, ret_content);
}

static bool write_zeroes(uint64_t size)
{
    static const uint8_t zeroes[4096];

    while (size > 0) {
        size_t part = size < sizeof zeroes ? (size_t)size : sizeof zeroes;
        if (fwrite(zeroes, 1, part, stdout) != part) {
            return false;
        }
        size -= part;
    }
    return true;
}

/* A block, and the zeroes that it leaves out. */
static enum status write_block(const struct output *output, uint32_t index,
                               const struct block_entry *entry)
{
    uint64_t left = output->manifest.size - ((uint64_t)index << BLOCK_SIZE_LOG2);
    size_t size = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
    struct blob *content = NULL;

    if (!block_entry_is_hole(entry)) {
        enum status status = fetch(output, index, entry, &content);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct slice bytes = blob_slice(content);
    bytes.size = bytes.size < size ? bytes.size : size;
    bool is_out =
        (bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size) &&
        write_zeroes(size - bytes.size);
    blob_unref(content);
    return is_out ? STATUS_OK : STATUS_IO;
}

/* The blocks from `first` on, as their manifest or map lists them. */
static enum status write_blocks(const struct output *output, uint32_t first, uint32_t count,
                                struct slice entries)
{
    static const struct block_entry hole;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        bool is_listed = i < entries.size / BLOCK_ENTRY_SIZE;
        struct block_entry entry = is_listed ? manifest_entry(entries, i) : hole;
        status = write_block(output, first + i, &entry);
    }
    return status;
}

static enum status write_map(const struct output *output, uint32_t number)
{
    uint32_t blocks = manifest_block_count(output->manifest.size);
    uint32_t first = number * MAP_BLOCKS;
    uint32_t count = blocks - first < MAP_BLOCKS ? blocks - first : MAP_BLOCKS;
    struct block_entry entry = manifest_entry(output->manifest.entries, number);
    struct blob *map = NULL;

    if (!block_entry_is_hole(&entry)) {
        enum status status = fetch(output, first, &entry, &map);
        if (status != STATUS_OK) {
            return status;
        }
    }
    enum status status = write_blocks(output, first, count, blob_slice(map));
    blob_unref(map);
    return status;
}

int ctl_write_large(const struct ctl *ctl, struct kv *kv, const struct version *version)
{
    struct output output = {.kv = kv};
    enum status status = manifest_parse(blob_slice(version->content), &output.manifest);

    if (status == STATUS_OK && !output.manifest.has_maps) {
        status = write_blocks(&output, 0, output.manifest.count, output.manifest.entries);
    }
    uint32_t maps = output.manifest.has_maps ? output.manifest.count : 0;
    for (uint32_t i = 0; i < maps && status == STATUS_OK; i++) {
        status = write_map(&output, i);
    }
    return status == STATUS_OK ? CTL_OK : ctl_fail(ctl, ctl->arguments[0], status);
}
