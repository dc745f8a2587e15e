/*
 * test_record.c - the rules of record.h:
 *   1. what was encoded is decoded to the same object, with own only if asked
 *   2. equal objects have equal bytes, and an object has one encoding
 *   3. every limit and every rule of object.h is checked
 *   4. a newer format is told from garbage
 *   5. content that does not match its hash is found
 *   6. the example in docs/protocol.md is true
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/wire/record.h"
#include "node/wire/writer.h"
#include "ring/manifest.h"
#include "tests/wire/sample.h"

static struct sample sample;

static int seed(void **state)
{
    (void)state;
    sample = sample_seeded();
    return 0;
}

static struct buffer encoded(const struct object *object, bool with_own)
{
    struct buffer buffer = {0};

    record_encode(object, with_own, &buffer);
    assert_false(buffer.failed);
    return buffer;
}

/* Returns the outcome, and checks rule 2 on what was accepted. */
static enum status outcome_of(struct slice bytes)
{
    struct object *object = NULL;
    enum status status = record_decode(bytes, &object);
    struct buffer again;

    if (status != STATUS_OK) {
        assert_null(object);
        return status;
    }
    again = encoded(object, true);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    buffer_release(&again);
    object_unref(object);
    return STATUS_OK;
}

static void test_record__random_objects__come_back_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        struct object *object =
            sample_object(&sample, i % 40, i % 3 == 0, i % 4 == 0 ? ROW_DIRECTORY : ROW_FILE);
        struct object *back = NULL;
        struct buffer buffer = encoded(object, true);

        assert_int_equal(record_decode(buffer_slice(&buffer), &back), STATUS_OK);
        assert_true(sample_same_object(object, back));
        assert_int_equal(outcome_of(buffer_slice(&buffer)), STATUS_OK);
        buffer_release(&buffer);
        object_unref(back);
        object_unref(object);
    }
}

static void test_record__own__is_kept_only_when_asked(void **state)
{
    struct dot pair = {.actor = {.node = 7, .birth = 8}, .counter = 9};
    struct clock clock = {.count = 1, .pair = &pair};
    struct object *object = NULL;
    struct object *with = NULL;
    struct object *without = NULL;
    struct buffer buffer;

    (void)state;
    assert_int_equal(object_new(&clock, NULL, 0, pair.actor, &object), STATUS_OK);

    buffer = encoded(object, true);
    assert_int_equal(record_decode(buffer_slice(&buffer), &with), STATUS_OK);
    buffer_release(&buffer);
    buffer = encoded(object, false);
    assert_int_equal(record_decode(buffer_slice(&buffer), &without), STATUS_OK);
    buffer_release(&buffer);

    assert_true(actor_equal(with->own, pair.actor));
    assert_int_equal(without->own.node, 0);
    assert_int_equal(without->own.birth, 0);
    object_unref(object);
    object_unref(with);
    object_unref(without);
}

/* The same object made twice, its blobs apart in memory, the second with an empty blob for no
 * user attributes and with an own pair. */
static void test_record__equal_objects__have_equal_bytes(void **state)
{
    struct dot pair = {.actor = {.node = 7, .birth = 8}, .counter = 9};
    struct clock clock = {.count = 1, .pair = &pair};
    struct slice content = slice_of_string("the same");
    struct object *objects[2];
    struct buffer buffers[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct version version = {.dot = pair};

        version.attributes.type = VERSION_FILE;
        version.attributes.size = content.size;
        version.content = blob_new(content);
        version.xattrs = i == 1 ? blob_new((struct slice){0}) : NULL;
        assert_int_equal(object_new(&clock, &version, 1,
                                    i == 1 ? pair.actor : (struct actor){0}, &objects[i]),
                         STATUS_OK);
        blob_unref(version.content);
        blob_unref(version.xattrs);
        buffers[i] = encoded(objects[i], false);
    }

    assert_true(slice_equal(buffer_slice(&buffers[0]), buffer_slice(&buffers[1])));
    for (unsigned i = 0; i < 2; i++) {
        buffer_release(&buffers[i]);
        object_unref(objects[i]);
    }
}

static void test_record__prefixes_and_extensions__are_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        struct object *object = sample_object(&sample, 6, i % 2 == 0, ROW_FILE);
        struct buffer buffer = encoded(object, true);

        for (size_t size = 0; size < buffer.size; size++) {
            assert_int_equal(outcome_of(slice_of(buffer.data, size)), STATUS_BAD_MESSAGE);
        }
        buffer_append_byte(&buffer, 0xc0);
        assert_int_equal(outcome_of(buffer_slice(&buffer)), STATUS_BAD_MESSAGE);
        buffer_release(&buffer);
        object_unref(object);
    }
}

static void test_record__one_byte_changed__never_crashes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        struct object *object = sample_object(&sample, 20, i % 2 == 0, ROW_FILE);
        struct buffer buffer = encoded(object, true);

        for (size_t place = 0; place < buffer.size; place++) {
            uint8_t before = buffer.data[place];

            buffer.data[place] ^= (uint8_t)(1 + sample_below(&sample, 255));
            (void)outcome_of(buffer_slice(&buffer));
            buffer.data[place] = before;
        }
        buffer_release(&buffer);
        object_unref(object);
    }
}

/*
 * A record written by hand: two pairs and two versions that are all right, unless a test
 * changes something that no object could hold.
 */
struct recipe {
    uint64_t format;
    uint32_t pair_count;
    struct dot pairs[CLOCK_PAIRS_MAX + 1];
    uint32_t version_count;
    struct {
        uint64_t index, counter, type, mode, user, size;
        size_t write_id_size, hash_size;
        size_t content_size, xattrs_size;
        bool has_content, has_xattrs;
    } versions[VERSIONS_MAX + 1];
    struct actor own;
};

/* Too large for a stack. */
static struct recipe recipe;

static void recipe_reset(void)
{
    memset(&recipe, 0, sizeof recipe);
    recipe.format = RECORD_FORMAT;
    recipe.pair_count = 2;
    recipe.version_count = 2;
    for (uint32_t i = 0; i < CLOCK_PAIRS_MAX + 1; i++) {
        recipe.pairs[i] = (struct dot){.actor = {.node = i + 1}, .counter = 1000000};
    }
    for (uint32_t i = 0; i < VERSIONS_MAX + 1; i++) {
        recipe.versions[i].index = i % 2;
        recipe.versions[i].counter = i + 1;
        recipe.versions[i].type = VERSION_FILE;
        recipe.versions[i].write_id_size = WRITE_ID_SIZE;
        recipe.versions[i].hash_size = CONTENT_HASH_SIZE;
    }
}

static void write_filler(struct writer *writer, bool is_there, size_t size)
{
    struct blob *filler;

    if (!is_there) {
        writer_nil(writer);
        return;
    }
    filler = sample_bytes(&sample, size);
    writer_bytes(writer, blob_slice(filler));
    blob_unref(filler);
}

static void write_recipe(struct buffer *buffer)
{
    struct writer writer = writer_over(buffer);

    writer_array(&writer, 6);
    writer_uint(&writer, recipe.format);
    writer_array(&writer, recipe.pair_count);
    for (uint32_t i = 0; i < recipe.pair_count; i++) {
        writer_dot(&writer, recipe.pairs[i]);
    }
    writer_array(&writer, recipe.version_count);
    for (uint32_t i = 0; i < recipe.version_count; i++) {
        writer_array(&writer, 19);
        writer_uint(&writer, recipe.versions[i].index);
        writer_uint(&writer, recipe.versions[i].counter);
        write_filler(&writer, true, recipe.versions[i].write_id_size);
        writer_uint(&writer, recipe.versions[i].type);
        writer_uint(&writer, recipe.versions[i].mode);
        writer_uint(&writer, recipe.versions[i].user);
        for (unsigned k = 0; k < 4; k++) { /* group and times */
            writer_uint(&writer, 0);
        }
        writer_uint(&writer, recipe.versions[i].size);
        for (unsigned k = 0; k < 5; k++) { /* file id, when it was named, and set */
            writer_uint(&writer, 0);
        }
        write_filler(&writer, true, recipe.versions[i].hash_size);
        write_filler(&writer, recipe.versions[i].has_content, recipe.versions[i].content_size);
        write_filler(&writer, recipe.versions[i].has_xattrs, recipe.versions[i].xattrs_size);
    }
    writer_uint(&writer, 0); /* deleted */
    writer_uint(&writer, recipe.own.node);
    writer_uint(&writer, recipe.own.birth);
}

/* What the recipe gets; then it is as it was. */
static enum status cook(void)
{
    struct buffer buffer = {0};
    enum status status;

    write_recipe(&buffer);
    assert_false(buffer.failed);
    status = outcome_of(buffer_slice(&buffer));
    buffer_release(&buffer);
    recipe_reset();
    return status;
}

#define assert_accepted() assert_int_equal(cook(), STATUS_OK)
#define assert_refused()  assert_int_equal(cook(), STATUS_BAD_MESSAGE)

static void test_record__counts__are_limited(void **state)
{
    (void)state;
    recipe_reset();
    assert_accepted();
    recipe.pair_count = CLOCK_PAIRS_MAX;
    recipe.version_count = VERSIONS_MAX;
    assert_accepted();
    recipe.pair_count = CLOCK_PAIRS_MAX + 1;
    assert_refused();
    recipe.version_count = VERSIONS_MAX + 1;
    assert_refused();
    recipe.pair_count = 0;
    assert_refused();
    recipe.pair_count = 0;
    recipe.version_count = 0;
    assert_accepted();
}

static void test_record__clock__is_checked(void **state)
{
    (void)state;
    recipe_reset();
    recipe.pairs[1].actor = recipe.pairs[0].actor; /* twice */
    assert_refused();
    recipe.pairs[0].actor.node = 3; /* descending */
    assert_refused();
    recipe.pairs[1].actor = (struct actor){.node = 1, .birth = 1}; /* another copy's */
    assert_accepted();
    recipe.pairs[0].actor.node = 0;
    assert_refused();
    recipe.pairs[0].counter = 0;
    assert_refused();
    recipe.pairs[0].counter = UINT64_MAX;
    assert_accepted();
}

static void test_record__dots__are_checked(void **state)
{
    (void)state;
    recipe_reset();
    recipe.versions[0].index = 2; /* no such pair */
    assert_refused();
    recipe.versions[0].index = UINT64_C(1) << 32;
    assert_refused();
    recipe.versions[1].counter = 1000000; /* just covered */
    assert_accepted();
    recipe.versions[1].counter = 1000001; /* above its pair */
    assert_refused();
    recipe.versions[0].counter = 0;
    assert_refused();
    recipe.versions[0].counter = 3; /* newest first */
    assert_refused();
    recipe.versions[1].counter = 1; /* one counter, two actors */
    assert_accepted();
    recipe.versions[1].counter = 1; /* one dot twice */
    recipe.versions[1].index = 0;
    assert_refused();
}

static void test_record__attributes__are_checked(void **state)
{
    (void)state;
    recipe_reset();
    recipe.versions[1].type = VERSION_DIRECTORY;
    assert_accepted();
    recipe.versions[1].type = VERSION_BLOCK_DEVICE + 1;
    assert_refused();
    recipe.versions[1].type = 0;
    assert_refused();
    recipe.versions[1].mode = 07777;
    assert_accepted();
    recipe.versions[1].mode = 010000;
    assert_refused();
    recipe.versions[1].user = UINT32_MAX - 1;
    assert_accepted();
    recipe.versions[1].user = UINT32_MAX; /* nobody, to the kernel */
    assert_refused();
    recipe.versions[1].size = INT64_MAX; /* a row may tell of any size */
    assert_accepted();
    recipe.versions[1].size = UINT64_C(1) << 63;
    assert_refused();
}

static void test_record__lengths__are_limited(void **state)
{
    (void)state;
    recipe_reset();
    recipe.versions[1].has_content = true;
    assert_accepted();
    recipe.versions[1].has_content = true;
    recipe.versions[1].size = recipe.versions[1].content_size = VALUE_SIZE_MAX;
    assert_accepted();
    recipe.versions[1].has_content = true;
    recipe.versions[1].size = recipe.versions[1].content_size = VALUE_SIZE_MAX + 1;
    assert_refused();
    recipe.versions[1].has_content = true; /* a size that is not the content's */
    recipe.versions[1].size = 5;
    recipe.versions[1].content_size = 4;
    assert_refused();
    recipe.versions[1].has_xattrs = true;
    recipe.versions[1].xattrs_size = XATTRS_SIZE_MAX;
    assert_accepted();
    recipe.versions[1].has_xattrs = true;
    recipe.versions[1].xattrs_size = XATTRS_SIZE_MAX + 1;
    assert_refused();
    recipe.versions[1].has_xattrs = true; /* none is written as nil */
    assert_refused();
    recipe.versions[0].write_id_size--;
    assert_refused();
    recipe.versions[0].write_id_size++;
    assert_refused();
    recipe.versions[0].hash_size--;
    assert_refused();
    recipe.versions[0].hash_size++;
    assert_refused();
}

static void test_record__own__has_a_birth_only_with_a_node(void **state)
{
    (void)state;
    recipe_reset();
    recipe.own = (struct actor){.node = 1};
    assert_accepted();
    recipe.own = (struct actor){.birth = 1};
    assert_refused();
}

static void test_record__formats__newer_ones_are_told_from_garbage(void **state)
{
    (void)state;
    recipe_reset();
    recipe.format = RECORD_FORMAT + 1;
    assert_int_equal(cook(), STATUS_BAD_VERSION);
    recipe.format = 0;
    assert_refused();
    /* A newer one in shapes that this format does not know: a float in an array of two. */
    assert_int_equal(
        outcome_of(slice_of((uint8_t[]){0x92, RECORD_FORMAT + 1, 0xca, 0, 0, 0, 0}, 7)),
        STATUS_BAD_VERSION);
    assert_int_equal(
        outcome_of(slice_of((uint8_t[]){0x92, RECORD_FORMAT, 0xca, 0, 0, 0, 0}, 7)),
        STATUS_BAD_MESSAGE);
    assert_int_equal(outcome_of(slice_of((uint8_t[]){RECORD_FORMAT}, 1)), STATUS_BAD_MESSAGE);
    assert_int_equal(outcome_of((struct slice){0}), STATUS_BAD_MESSAGE);
}

static void test_record_verify__content_that_changed__is_corrupt(void **state)
{
    struct dot pair = {.actor = {.node = 7, .birth = 8}, .counter = 9};
    struct clock clock = {.count = 1, .pair = &pair};
    struct version version = {.dot = pair};
    struct object *object = NULL;
    struct object *row = NULL;

    (void)state;
    version.attributes.type = VERSION_FILE;
    version.attributes.size = 100;
    version.content = sample_bytes(&sample, 100);
    content_hash(blob_slice(version.content), version.content_hash);
    assert_int_equal(object_new(&clock, &version, 1, (struct actor){0}, &object), STATUS_OK);
    row = object_project(object);
    assert_int_equal(record_verify(object), STATUS_OK);

    version.content->data[99] ^= 1;
    assert_int_equal(record_verify(object), STATUS_CORRUPT);
    assert_int_equal(record_verify(row), STATUS_OK);
    blob_unref(version.content);
    object_unref(object);
    object_unref(row);
}

/* The object of the example. */
static struct object *example_object(void)
{
    struct dot pairs[] = {
        {.actor = {.node = 17, .birth = 1000}, .counter = 2000},
        {.actor = {.node = 300, .birth = 1500}, .counter = 1700},
    };
    struct clock clock = {.count = 2, .pair = pairs};
    struct version version = {.dot = pairs[0]};
    struct object *object = NULL;

    for (size_t i = 0; i < WRITE_ID_SIZE; i++) {
        version.write_id[i] = (uint8_t)(0xa0 + i);
    }
    version.attributes = (struct attributes){
        .type = VERSION_FILE,
        .mode = 0644,
        .user = 1000,
        .group = 1000,
        .accessed_ns = 1,
        .modified_ns = -1,
        .changed_ns = 1000000000,
        .size = 3,
        .file_id = 99,
        .named_ns = 2,
    };
    version.content = blob_new(slice_of_string("hi\n"));
    content_hash(blob_slice(version.content), version.content_hash);
    assert_int_equal(object_new(&clock, &version, 1, (struct actor){0}, &object), STATUS_OK);
    blob_unref(version.content);
    return object;
}

/* The bytes in the first block of docs/protocol.md that is marked `hex`: hexadecimal pairs up
 * to a '#' on each line. */
static struct buffer read_example(const char *path)
{
    struct buffer bytes = {0};
    FILE *file = fopen(path, "r");
    char line[256];
    bool inside = false;

    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        unsigned byte;
        int length;

        if (strncmp(line, "```", 3) == 0) {
            if (inside) {
                break;
            }
            inside = strcmp(line, "```hex\n") == 0;
            continue;
        }
        for (const char *rest = line;
             inside && *rest != '#' && sscanf(rest, " %2x%n", &byte, &length) == 1;
             rest += length) {
            buffer_append_byte(&bytes, (uint8_t)byte);
        }
    }
    (void)fclose(file);
    return bytes;
}

static void test_record__example_of_the_documentation__is_true(void **state)
{
    struct object *object = example_object();
    struct buffer expected = read_example(DYNAMOFS_PROTOCOL_MD);
    struct buffer actual = encoded(object, false);

    (void)state;
    if (!slice_equal(buffer_slice(&expected), buffer_slice(&actual))) {
        for (size_t i = 0; i < actual.size; i++) {
            printf("%02x%s", actual.data[i], i % 16 == 15 ? "\n" : " ");
        }
        printf("\n");
    }
    assert_true(expected.size > 0);
    assert_true(slice_equal(buffer_slice(&expected), buffer_slice(&actual)));
    buffer_release(&expected);
    buffer_release(&actual);
    object_unref(object);
}

/* Every byte of the head of the manifest that is not its block set. */
static void test_record__large_file__content_is_a_manifest(void **state)
{
    static const uint8_t magic[] = {'D', 'F', 'M', 1};
    static struct dot pair = {{1, 1}, 1};
    const struct clock clock = {.count = 1, .pair = &pair};
    struct version version = {.dot = pair, .attributes.type = VERSION_LARGE_FILE};
    struct object *object = NULL;

    (void)state;
    version.content = sample_manifest(&sample, 3, &version.attributes.size);
    assert_int_equal(object_new(&clock, &version, 1, (struct actor){0, 0}, &object), STATUS_OK);
    struct buffer bytes = encoded(object, false);
    uint8_t *at = memmem(bytes.data, bytes.size, magic, sizeof magic);
    assert_non_null(at);
    assert_int_equal(outcome_of(buffer_slice(&bytes)), STATUS_OK);
    for (size_t i = 0; i <= sizeof magic; i++) {
        at[i] ^= 3;
        assert_int_equal(outcome_of(buffer_slice(&bytes)), STATUS_BAD_MESSAGE);
        at[i] ^= 3;
    }
    at[sizeof magic + 1 + BLOCK_SET_SIZE + 7] ^= 1; /* the size is not the version's */
    assert_int_equal(outcome_of(buffer_slice(&bytes)), STATUS_BAD_MESSAGE);
    buffer_release(&bytes);
    object_unref(object);
    blob_unref(version.content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__random_objects__come_back_the_same),
        cmocka_unit_test(test_record__own__is_kept_only_when_asked),
        cmocka_unit_test(test_record__equal_objects__have_equal_bytes),
        cmocka_unit_test(test_record__prefixes_and_extensions__are_refused),
        cmocka_unit_test(test_record__one_byte_changed__never_crashes),
        cmocka_unit_test(test_record__counts__are_limited),
        cmocka_unit_test(test_record__clock__is_checked),
        cmocka_unit_test(test_record__dots__are_checked),
        cmocka_unit_test(test_record__attributes__are_checked),
        cmocka_unit_test(test_record__lengths__are_limited),
        cmocka_unit_test(test_record__own__has_a_birth_only_with_a_node),
        cmocka_unit_test(test_record__formats__newer_ones_are_told_from_garbage),
        cmocka_unit_test(test_record__large_file__content_is_a_manifest),
        cmocka_unit_test(test_record_verify__content_that_changed__is_corrupt),
        cmocka_unit_test(test_record__example_of_the_documentation__is_true),
    };

    return cmocka_run_group_tests_name("record", tests, seed, NULL);
}
