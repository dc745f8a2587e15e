/*
 * make.c - parsing and printing of objects for the tests of ring/.
 */
#include "tests/ring/make.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void make_clock(const char *text, struct made_clock *ret_clock)
{
    ret_clock->clock = (struct clock){.count = 0, .pair = ret_clock->dots};
    int used = 0;
    while (*text != '\0') {
        struct dot dot;
        assert_true(ret_clock->clock.count < MAKE_DOTS_MAX);
        assert_int_equal(sscanf(text, "%lu.%lu:%lu %n", &dot.actor.node, &dot.actor.birth,
                                &dot.counter, &used),
                         3);
        ret_clock->dots[ret_clock->clock.count++] = dot;
        text += used;
    }
}

struct dot make_dot(const char *text)
{
    struct made_clock made;
    make_clock(text, &made);
    assert_int_equal(made.clock.count, 1);
    return made.dots[0];
}

struct version make_version(struct dot dot, const char *content)
{
    struct version version = {.dot = dot};
    version.content = blob_new(slice_of_string(content));
    assert_non_null(version.content);
    memcpy(version.write_id, &dot.counter, sizeof dot.counter);
    memcpy(version.write_id + sizeof dot.counter, &dot.actor.node, sizeof dot.actor.node);
    version.attributes.type = VERSION_FILE;
    version.attributes.mode = 0644;
    version.attributes.size = version.content->size;
    content_hash(blob_slice(version.content), version.content_hash);
    return version;
}

void version_drop(struct version *version)
{
    blob_unref(version->content);
    blob_unref(version->xattrs);
    *version = (struct version){0};
}

static struct object *make_from_dots(const struct clock *clock, const struct clock *dots,
                                     struct actor own)
{
    struct version versions[MAKE_DOTS_MAX];
    for (uint32_t i = 0; i < dots->count; i++) {
        char content[96];
        snprintf(content, sizeof content, "%lu.%lu:%lu", dots->pair[i].actor.node,
                 dots->pair[i].actor.birth, dots->pair[i].counter);
        versions[i] = make_version(dots->pair[i], content);
    }
    struct object *object = NULL;
    assert_int_equal(object_new(clock, versions, dots->count, own, &object), STATUS_OK);
    for (uint32_t i = 0; i < dots->count; i++) {
        version_drop(&versions[i]);
    }
    return object;
}

struct object *make_object(const char *text, const char *own)
{
    char clock_text[MAKE_TEXT_SIZE];
    const char *bar = strchr(text, '|');
    assert_non_null(bar);
    assert_true((size_t)(bar - text) < sizeof clock_text);
    memcpy(clock_text, text, (size_t)(bar - text));
    clock_text[bar - text] = '\0';
    struct made_clock clock;
    struct made_clock dots;
    make_clock(clock_text, &clock);
    make_clock(bar[1] == ' ' ? bar + 2 : bar + 1, &dots);
    struct actor actor = !own ? (struct actor){0} : make_dot(own).actor;
    struct object *object = make_from_dots(&clock.clock, &dots.clock, actor);
    if (!object_is_live(object)) {
        object_set_deleted(object, clock_greatest_counter(&clock.clock, UINT64_MAX));
    }
    return object;
}

static size_t print_dot(struct dot dot, const char *after, char *ret_text, size_t size)
{
    int length = snprintf(ret_text, size, "%lu.%lu:%lu%s", dot.actor.node, dot.actor.birth,
                          dot.counter, after);
    assert_true(length > 0 && (size_t)length < size);
    return (size_t)length;
}

void object_print(const struct object *object, char ret_text[MAKE_TEXT_SIZE])
{
    if (!object) {
        snprintf(ret_text, MAKE_TEXT_SIZE, "none");
        return;
    }
    size_t length = 0;
    for (uint32_t i = 0; i < object->clock.count; i++) {
        length +=
            print_dot(object->clock.pair[i], " ", ret_text + length, MAKE_TEXT_SIZE - length);
    }
    assert_true(length + 2 < MAKE_TEXT_SIZE);
    ret_text[length++] = '|';
    ret_text[length] = '\0';
    for (uint32_t i = 0; i < object->version_count; i++) {
        assert_true(length + 2 < MAKE_TEXT_SIZE);
        ret_text[length++] = ' ';
        length +=
            print_dot(object->versions[i].dot, "", ret_text + length, MAKE_TEXT_SIZE - length);
    }
}

bool object_keeps_rules(const struct object *object)
{
    struct object *copy = NULL;
    enum status status =
        object_new(&object->clock, object->versions, object->version_count, object->own, &copy);
    object_unref(copy);
    return status == STATUS_OK;
}

void assert_object(const struct object *object, const char *text)
{
    char printed[MAKE_TEXT_SIZE];
    object_print(object, printed);
    assert_string_equal(printed, text);
    assert_true(!object || object_keeps_rules(object));
}
