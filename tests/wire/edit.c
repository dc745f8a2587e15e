/*
 * edit.c - see edit.h.
 */
#include "tests/wire/edit.h"

#include <assert.h>
#include <msgpack.h>
#include <stdlib.h>

struct edit {
    msgpack_packer packer;
    struct buffer *out;
    uint32_t at;   /* number of the next element */
    uint32_t nth;  /* the one to be replaced */
    bool prepend;  /* put `raw` into it, rather than in its place */
    bool was_done; /* it was met */
    struct slice raw;
};

static int append(void *data, const char *bytes, size_t size)
{
    buffer_append(data, bytes, size);
    return 0;
}

static void copy(struct edit *edit, const msgpack_object *element)
{
    bool is_here = edit->at++ == edit->nth;

    edit->was_done = edit->was_done || is_here;
    if (is_here && !edit->prepend) {
        buffer_append_slice(edit->out, edit->raw);
        return;
    }
    if (element->type != MSGPACK_OBJECT_ARRAY) {
        (void)msgpack_pack_object(&edit->packer, *element);
        return;
    }
    (void)msgpack_pack_array(&edit->packer, element->via.array.size + is_here);
    if (is_here) {
        buffer_append_slice(edit->out, edit->raw);
    }
    for (uint32_t i = 0; i < element->via.array.size; i++) {
        copy(edit, &element->via.array.ptr[i]);
    }
}

static msgpack_object unpack(struct slice message, msgpack_unpacked *unpacked)
{
    msgpack_unpack_return result;
    size_t offset = 0;

    msgpack_unpacked_init(unpacked);
    result = msgpack_unpack_next(unpacked, (const char *)message.data, message.size, &offset);
    assert(result == MSGPACK_UNPACK_SUCCESS && offset == message.size);
    return unpacked->data;
}

static bool run(struct slice message, struct edit *edit)
{
    msgpack_unpacked unpacked;
    msgpack_object root = unpack(message, &unpacked);

    msgpack_packer_init(&edit->packer, edit->out, append);
    copy(edit, &root);
    assert(!edit->out->failed);
    msgpack_unpacked_destroy(&unpacked);
    return edit->was_done;
}

bool edit_nth(struct slice message, uint32_t nth, struct slice raw, struct buffer *ret_bytes)
{
    struct edit edit = {.out = ret_bytes, .nth = nth, .raw = raw};

    return run(message, &edit);
}

void edit_prepend(struct slice message, uint32_t nth, struct slice raw,
                  struct buffer *ret_bytes)
{
    struct edit edit = {.out = ret_bytes, .nth = nth, .raw = raw, .prepend = true};
    bool was_done = run(message, &edit);

    assert(was_done);
}

static uint32_t count_of(const msgpack_object *element)
{
    uint32_t count = 1;

    if (element->type == MSGPACK_OBJECT_ARRAY) {
        for (uint32_t i = 0; i < element->via.array.size; i++) {
            count += count_of(&element->via.array.ptr[i]);
        }
    }
    return count;
}

uint32_t edit_find(struct slice message, const char *path)
{
    msgpack_unpacked unpacked;
    msgpack_object place = unpack(message, &unpacked);
    uint32_t nth = 0;

    while (*path != '\0') {
        char *end;
        unsigned long index = strtoul(path, &end, 10);

        assert(end > path && place.type == MSGPACK_OBJECT_ARRAY);
        assert(index < place.via.array.size);
        nth++;
        for (unsigned long i = 0; i < index; i++) {
            nth += count_of(&place.via.array.ptr[i]);
        }
        place = place.via.array.ptr[index];
        path = *end == '.' ? end + 1 : end;
    }
    msgpack_unpacked_destroy(&unpacked);
    return nth;
}

static bool extract(const msgpack_object *element, uint32_t *left, msgpack_packer *packer)
{
    if ((*left)-- == 0) {
        (void)msgpack_pack_object(packer, *element);
        return true;
    }
    if (element->type != MSGPACK_OBJECT_ARRAY) {
        return false;
    }
    for (uint32_t i = 0; i < element->via.array.size; i++) {
        if (extract(&element->via.array.ptr[i], left, packer)) {
            return true;
        }
    }
    return false;
}

struct buffer edit_extract(struct slice message, uint32_t nth)
{
    struct buffer out = {0};
    msgpack_unpacked unpacked;
    msgpack_object root = unpack(message, &unpacked);
    msgpack_packer packer;
    bool found;

    msgpack_packer_init(&packer, &out, append);
    found = extract(&root, &nth, &packer);
    assert(found);
    msgpack_unpacked_destroy(&unpacked);
    return out;
}
