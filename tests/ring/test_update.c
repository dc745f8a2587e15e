/*
 * test_update.c - puts and deletes at their coordinator.
 *
 * Rules: a put supersedes what its context covers and nothing else; superseding some names
 * dots and adds nothing to the clock; an own pair is extended only when this copy opened it
 * since the last unclean start and the new counter lies above it; truncation keeps ten pairs,
 * the newest, and all that live versions need; limits refuse a put that only adds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ring/truncation.h"
#include "tests/ring/make.h"

/* What a test asks for; the helper builds the update and owns what it needs. */
struct put {
    const char *copy;    /* this node's copy, or NULL */
    const char *own;     /* its own pair, or NULL */
    const char *context; /* UPDATE_ALL unless `dots` is given */
    const char *dots;
    bool is_delete;
    uint64_t counter;
    uint64_t birth; /* 0: as the counter */
    uint64_t trusted_since;
};

static enum status run_put(const struct put *put, struct object **ret_object)
{
    struct object *copy = !put->copy ? NULL : make_object(put->copy, put->own);
    struct made_clock context;
    struct made_clock dots;
    make_clock(!put->context ? "" : put->context, &context);
    make_clock(!put->dots ? "" : put->dots, &dots);
    struct version value = make_version(make_dot("99.99:99"), "value");
    struct update update = {
        .mode = !put->dots ? UPDATE_ALL : UPDATE_SOME,
        .context = context.clock,
        .dots = dots.dots,
        .dot_count = dots.clock.count,
        .value = put->is_delete ? NULL : &value,
    };
    struct coordinator coordinator = {
        .node = 1,
        .counter = put->counter,
        .birth = put->birth == 0 ? put->counter : put->birth,
        .trusted_since = put->trusted_since,
    };

    enum status status = object_update(copy, &update, &coordinator, ret_object);
    object_unref(copy);
    version_drop(&value);
    return status;
}

static void assert_put(struct put put, const char *expected, struct actor own)
{
    struct object *object = NULL;
    put.counter = put.counter == 0 ? 50 : put.counter;
    assert_int_equal(run_put(&put, &object), STATUS_OK);
    assert_object(object, expected);
    assert_int_equal(object->own.node, own.node);
    assert_int_equal(object->own.birth, own.birth);
    object_unref(object);
}

static void test_object_update__first_put__opens_a_pair(void **state)
{
    (void)state;

    assert_put((struct put){.copy = NULL}, "1.50:50 | 1.50:50", (struct actor){1, 50});
    /* An empty copy, as after a delete of nothing. */
    assert_put((struct put){.copy = "|"}, "1.50:50 | 1.50:50", (struct actor){1, 50});
}

static void test_object_update__value__is_finished_by_the_coordinator(void **state)
{
    (void)state;
    struct version value = make_version(make_dot("99.99:99"), "milk");
    uint8_t hash[CONTENT_HASH_SIZE];
    memcpy(hash, value.content_hash, sizeof hash);
    memset(value.content_hash, 0, sizeof value.content_hash);
    value.attributes.size = 0;
    value.attributes.modified_ns = 123;
    value.xattrs = blob_new(slice_of_string("colour"));
    struct update update = {.mode = UPDATE_ALL, .value = &value};
    struct coordinator coordinator = {.node = 1, .counter = 50, .birth = 50};
    struct object *object = NULL;

    assert_int_equal(object_update(NULL, &update, &coordinator, &object), STATUS_OK);

    const struct version *stored = object_newest(object);
    assert_true(dot_equal(stored->dot, make_dot("1.50:50")));
    assert_memory_equal(stored->content_hash, hash, sizeof hash);
    assert_int_equal(stored->attributes.size, 4);
    assert_int_equal(stored->attributes.modified_ns, 123);
    assert_memory_equal(stored->write_id, value.write_id, WRITE_ID_SIZE);
    assert_ptr_equal(stored->content, value.content);
    assert_ptr_equal(stored->xattrs, value.xattrs);
    object_unref(object);
    assert_int_equal(atomic_load(&value.content->references), 1);
    assert_int_equal(atomic_load(&value.xattrs->references), 1);
    version_drop(&value);
}

static void test_object_update__no_content__is_an_empty_one(void **state)
{
    (void)state;
    struct version value = {.attributes = {.type = VERSION_DIRECTORY, .mode = 0755}};
    struct update update = {.mode = UPDATE_ALL, .value = &value};
    struct coordinator coordinator = {.node = 1, .counter = 50, .birth = 50};
    uint8_t hash[CONTENT_HASH_SIZE];
    struct object *object = NULL;

    assert_int_equal(object_update(NULL, &update, &coordinator, &object), STATUS_OK);

    content_hash(slice_of(NULL, 0), hash);
    assert_non_null(object_newest(object)->content);
    assert_int_equal(object_newest(object)->attributes.size, 0);
    assert_memory_equal(object_newest(object)->content_hash, hash, sizeof hash);
    object_unref(object);
}

static void test_object_update__context__supersedes_what_it_covers(void **state)
{
    (void)state;
    const struct actor own = {1, 10};

    assert_put((struct put){.copy = "1.10:20 | 1.10:20", .own = "1.10:0", .context = "1.10:20"},
               "1.10:50 | 1.10:50", own);
    /* Two puts through one coordinator with one context are siblings. */
    assert_put((struct put){.copy = "1.10:20 | 1.10:20", .own = "1.10:0", .context = "1.10:19"},
               "1.10:50 | 1.10:20 1.10:50", own);
    /* An empty context supersedes nothing. */
    assert_put((struct put){.copy = "1.10:20 2.5:9 | 2.5:9 1.10:20", .own = "1.10:0"},
               "1.10:50 2.5:9 | 2.5:9 1.10:20 1.10:50", own);
    /* What the client saw and this copy did not is known from now on. */
    assert_put(
        (struct put){.copy = "1.10:20 | 1.10:20", .own = "1.10:0", .context = "1.10:20 3.1:7"},
        "1.10:50 3.1:7 | 1.10:50", own);
    assert_put((struct put){.copy = "1.10:20 2.5:9 | 2.5:9 1.10:20",
                            .own = "1.10:0",
                            .context = "2.5:9"},
               "1.10:50 2.5:9 | 1.10:20 1.10:50", own);
}

static void test_object_update__delete__leaves_a_tombstone_over_the_context(void **state)
{
    (void)state;
    const struct actor own = {1, 10};
    const struct actor none = {0};

    assert_put((struct put){.copy = "1.10:20 | 1.10:20",
                            .own = "1.10:0",
                            .context = "1.10:20",
                            .is_delete = true},
               "1.10:20 |", own);
    assert_put((struct put){.copy = "1.10:20 | 1.10:20",
                            .own = "1.10:0",
                            .context = "2.1:5",
                            .is_delete = true},
               "1.10:20 2.1:5 | 1.10:20", own);
    /* A copy that knows nothing still learns what must not come back. */
    assert_put((struct put){.copy = NULL, .context = "2.1:5", .is_delete = true}, "2.1:5 |",
               none);
    assert_put((struct put){.copy = NULL, .is_delete = true}, "|", none);
}

static void test_object_update__some_dots__drops_them_and_keeps_the_clock(void **state)
{
    (void)state;
    const struct actor own = {1, 10};
    const char *copy = "1.10:20 2.5:9 3.1:7 | 3.1:7 2.5:9 1.10:20";

    assert_put((struct put){.copy = copy, .own = "1.10:0", .dots = "2.5:9", .is_delete = true},
               "1.10:20 2.5:9 3.1:7 | 3.1:7 1.10:20", own);
    assert_put((struct put){.copy = copy, .own = "1.10:0", .dots = "1.10:20 3.1:7"},
               "1.10:50 2.5:9 3.1:7 | 2.5:9 1.10:50", own);
    /* Rule 3: the context adds nothing. */
    assert_put((struct put){.copy = copy,
                            .own = "1.10:0",
                            .dots = "2.5:9",
                            .context = "3.1:7 4.1:8",
                            .is_delete = true},
               "1.10:20 2.5:9 3.1:7 | 3.1:7 1.10:20", own);
    /* One that was dropped before is dropped. */
    assert_put((struct put){.copy = copy, .own = "1.10:0", .dots = "2.5:8", .is_delete = true},
               "1.10:20 2.5:9 3.1:7 | 3.1:7 2.5:9 1.10:20", own);
}

static void assert_unknown(struct put put)
{
    struct object *object = NULL;
    put.counter = 50;
    assert_int_equal(run_put(&put, &object), STATUS_UNKNOWN_VERSION);
    assert_null(object);
}

/* Its drop would be told, and the version would be back with the next merge. */
static void test_object_update__dot_that_the_copy_has_not_heard_of__is_refused(void **state)
{
    (void)state;
    const char *copy = "1.10:20 2.5:9 | 2.5:9 1.10:20";

    assert_unknown((struct put){.copy = copy, .dots = "4.1:8", .is_delete = true});
    assert_unknown((struct put){.copy = copy, .dots = "2.5:9 4.1:8", .is_delete = true});
    assert_unknown((struct put){.copy = copy, .dots = "2.5:10"});
    assert_unknown((struct put){.copy = NULL, .dots = "2.5:9", .is_delete = true});
    /* The context is no proof: it adds nothing. */
    assert_unknown(
        (struct put){.copy = copy, .dots = "4.1:8", .context = "4.1:8", .is_delete = true});
}

static void test_object_update__none__is_the_copy_itself(void **state)
{
    (void)state;
    struct object *copy = make_object("1.10:20 | 1.10:20", "1.10:0");
    struct update update = {.mode = UPDATE_NONE};
    struct coordinator coordinator = {.node = 1, .counter = 50, .birth = 50};
    struct object *object = NULL;

    assert_int_equal(object_update(NULL, &update, &coordinator, &object), STATUS_NOT_FOUND);
    assert_null(object);
    assert_int_equal(object_update(copy, &update, &coordinator, &object), STATUS_OK);
    assert_ptr_equal(object, copy);
    object_unref(object);
    object_unref(copy);
}

static void test_object_update__untrusted_pair__is_not_extended(void **state)
{
    (void)state;
    const struct actor fresh = {1, 50};
    const char *copy = "1.10:20 | 1.10:20";

    /* Received from elsewhere: this node's name is in the clock, but not by this copy. */
    assert_put((struct put){.copy = copy, .own = NULL, .context = "1.10:20"},
               "1.10:20 1.50:50 | 1.50:50", fresh);
    /* A birth need not be the counter. */
    assert_put((struct put){.copy = copy, .own = NULL, .context = "1.10:20", .birth = 77},
               "1.10:20 1.77:50 | 1.77:50", (struct actor){1, 77});
    /* Opened before the last unclean start. */
    assert_put((struct put){.copy = copy, .own = "1.10:0", .trusted_since = 11},
               "1.10:20 1.50:50 | 1.10:20 1.50:50", fresh);
    assert_put((struct put){.copy = copy, .own = "1.10:0", .trusted_since = 10},
               "1.10:50 | 1.10:20 1.10:50", (struct actor){1, 10});
    /* Another node's pair, as after a database was given another name. */
    assert_put((struct put){.copy = "2.10:20 | 2.10:20", .own = "2.10:0"},
               "1.50:50 2.10:20 | 2.10:20 1.50:50", fresh);
}

static void test_object_update__pair_ahead_of_the_counter__opens_a_new_one(void **state)
{
    (void)state;
    const struct actor fresh = {1, 50};

    assert_put((struct put){.copy = "1.10:900 | 1.10:900", .own = "1.10:0"},
               "1.10:900 1.50:50 | 1.50:50 1.10:900", fresh);
    assert_put((struct put){.copy = "1.10:50 | 1.10:50", .own = "1.10:0"},
               "1.10:50 1.50:50 | 1.10:50 1.50:50", fresh);
    /* The context is merged first: it must not cover the version that comes with it. */
    assert_put(
        (struct put){.copy = "1.10:20 | 1.10:20", .own = "1.10:0", .context = "1.10:900"},
        "1.10:900 1.50:50 | 1.50:50", fresh);
    /* Even the new pair is taken: the counter goes up until it is fresh. */
    assert_put((struct put){.copy = "1.10:20 | 1.10:20",
                            .own = "1.10:0",
                            .context = "1.10:900 1.50:900 1.51:1"},
               "1.10:900 1.50:900 1.51:1 1.52:52 | 1.52:52", (struct actor){1, 52});
}

/* Far ahead as it may have been, other copies still know more of it than comes back here. */
static void test_object_update__own_pair_is_truncated__is_no_longer_own(void **state)
{
    (void)state;
    const char *far = "2.1:91 3.1:92 4.1:93 5.1:94 6.1:95 7.1:96 8.1:97 9.1:98 10.1:99 11.1:99";
    char expected[MAKE_TEXT_SIZE];
    snprintf(expected, sizeof expected, "%s |", far);

    assert_put(
        (struct put){.copy = "1.10:20 |", .own = "1.10:0", .context = far, .is_delete = true},
        expected, (struct actor){0});
    assert_put(
        (struct put){
            .copy = "1.10:20 | 1.10:20", .own = "1.10:0", .context = far, .is_delete = true},
        "1.10:20 3.1:92 4.1:93 5.1:94 6.1:95 7.1:96 8.1:97 9.1:98 10.1:99 11.1:99"
        " | 1.10:20",
        (struct actor){1, 10});
}

static void test_object_update__eleven_pairs__lose_the_least_recent(void **state)
{
    (void)state;
    const char *ten = "1.10:45 2.1:5 3.1:20 4.1:21 5.1:22 6.1:23 7.1:24 8.1:25 9.1:26 10.1:27";

    char copy[MAKE_TEXT_SIZE];
    snprintf(copy, sizeof copy, "%s | 1.10:45", ten);
    assert_put((struct put){.copy = copy, .own = "1.10:0", .context = ten},
               "1.10:50 2.1:5 3.1:20 4.1:21 5.1:22 6.1:23 7.1:24 8.1:25 9.1:26 10.1:27 | "
               "1.10:50",
               (struct actor){1, 10});
    assert_put((struct put){.copy = copy, .context = ten},
               "1.10:45 1.50:50 3.1:20 4.1:21 5.1:22 6.1:23 7.1:24 8.1:25 9.1:26 10.1:27 | "
               "1.50:50",
               (struct actor){1, 50});
    /* A delete truncates as well. */
    assert_put((struct put){.copy = copy,
                            .own = "1.10:0",
                            .context = "1.10:45 11.1:4 12.1:44",
                            .is_delete = true},
               "1.10:45 3.1:20 4.1:21 5.1:22 6.1:23 7.1:24 8.1:25 9.1:26 10.1:27 12.1:44 |",
               (struct actor){1, 10});
}

static void test_object_update__truncation__spares_what_live_versions_need(void **state)
{
    (void)state;
    const char *copy = "2.1:5 3.1:20 4.1:21 5.1:22 6.1:23 7.1:24 8.1:25 9.1:26 10.1:27 11.1:28 "
                       "| 2.1:4 3.1:20";

    assert_put((struct put){.copy = copy},
               "1.50:50 2.1:5 3.1:20 5.1:22 6.1:23 7.1:24 8.1:25 9.1:26 10.1:27 11.1:28 "
               "| 2.1:4 3.1:20 1.50:50",
               (struct actor){1, 50});
}

static void test_object_update__more_live_than_kept__keeps_all_live(void **state)
{
    (void)state;
    const char *copy = "2.1:1 3.1:2 4.1:3 5.1:4 6.1:5 7.1:6 8.1:7 9.1:8 10.1:9 11.1:10 12.1:40 "
                       "| 2.1:1 3.1:2 4.1:3 5.1:4 6.1:5 7.1:6 8.1:7 9.1:8 10.1:9 11.1:10";

    assert_put((struct put){.copy = copy},
               "1.50:50 2.1:1 3.1:2 4.1:3 5.1:4 6.1:5 7.1:6 8.1:7 9.1:8 10.1:9 11.1:10 "
               "| 2.1:1 3.1:2 4.1:3 5.1:4 6.1:5 7.1:6 8.1:7 9.1:8 10.1:9 11.1:10 1.50:50",
               (struct actor){1, 50});
}

/* What stands behind the versions that count, as while an object is made, spares nothing. */
static void test_object_truncate__version_that_does_not_count__spares_no_pair(void **state)
{
    (void)state;
    struct made_clock clock;
    make_clock("2.1:5 3.1:6 4.1:7 5.1:8", &clock);
    struct version versions[] = {{.dot = make_dot("3.1:6")}, {.dot = make_dot("2.1:5")}};
    struct object_kept kept = {.versions = versions, .version_count = 1, .pair_limit = 2};

    assert_int_equal(object_truncate(clock.dots, 4, &kept), 2);

    assert_int_equal(clock.dots[0].counter, 6);
    assert_int_equal(clock.dots[1].counter, 8);
}

static void test_object_update__huge_context__is_cut_down(void **state)
{
    (void)state;
    static struct dot pairs[CLOCK_PAIRS_MAX];
    for (uint32_t i = 0; i < CLOCK_PAIRS_MAX; i++) {
        pairs[i] = (struct dot){{i + 2, 1}, i + 1};
    }
    struct version value = make_version(make_dot("99.99:99"), "value");
    struct update update = {.mode = UPDATE_ALL,
                            .context = {.count = CLOCK_PAIRS_MAX, .pair = pairs},
                            .value = &value};
    struct coordinator coordinator = {.node = 1, .counter = 5000, .birth = 5000};
    struct object *object = NULL;

    assert_int_equal(object_update(NULL, &update, &coordinator, &object), STATUS_OK);

    assert_int_equal(object->clock.count, CLOCK_PAIRS_KEPT);
    assert_int_equal(object->clock.pair[0].counter, 5000);
    for (uint32_t i = 1; i < CLOCK_PAIRS_KEPT; i++) {
        assert_int_equal(object->clock.pair[i].counter,
                         CLOCK_PAIRS_MAX - CLOCK_PAIRS_KEPT + 1 + i);
    }
    object_unref(object);
    version_drop(&value);
}

/* A copy with `count` siblings of `size` bytes each, under one actor. */
static struct object *copy_with_siblings(uint32_t count, size_t size, size_t xattrs_size)
{
    static struct version versions[VERSIONS_PUT_MAX + 2];
    struct blob *content = blob_new_uninitialised(size);
    assert_non_null(content);
    memset(content->data, 'x', size);
    struct blob *xattrs = blob_new_uninitialised(xattrs_size);
    assert_non_null(xattrs);
    for (uint32_t i = 0; i < count; i++) {
        versions[i] =
            (struct version){.dot = {{2, 1}, i + 1}, .content = content, .xattrs = xattrs};
        versions[i].attributes.type = VERSION_FILE;
        versions[i].attributes.size = size;
    }
    struct dot pair = {{2, 1}, count};
    struct clock clock = {.count = 1, .pair = &pair};
    struct object *object = NULL;
    assert_int_equal(object_new(&clock, versions, count, (struct actor){0}, &object),
                     STATUS_OK);
    blob_unref(content);
    blob_unref(xattrs);
    return object;
}

static enum status put_with_xattrs(struct object *copy, uint32_t superseded, size_t size,
                                   size_t xattrs_size)
{
    struct blob *content = blob_new_uninitialised(size);
    assert_non_null(content);
    memset(content->data, 'y', size);
    struct blob *xattrs = blob_new_uninitialised(xattrs_size);
    assert_non_null(xattrs);
    struct version value = {
        .attributes = {.type = VERSION_FILE}, .content = content, .xattrs = xattrs};
    struct dot pair = {{2, 1}, superseded};
    struct update update = {.mode = UPDATE_ALL,
                            .context = {.count = superseded > 0, .pair = &pair},
                            .value = &value};
    struct coordinator coordinator = {.node = 1, .counter = 5000, .birth = 5000};
    struct object *object = NULL;
    enum status status = object_update(copy, &update, &coordinator, &object);
    assert_int_equal(object != NULL, status == STATUS_OK);
    object_unref(object);
    blob_unref(content);
    blob_unref(xattrs);
    return status;
}

static enum status put_beside(struct object *copy, uint32_t superseded, size_t size)
{
    return put_with_xattrs(copy, superseded, size, 0);
}

static void test_object_update__too_many_siblings__takes_only_what_resolves(void **state)
{
    (void)state;
    struct object *nearly = copy_with_siblings(VERSIONS_PUT_MAX - 1, 1, 0);
    struct object *full = copy_with_siblings(VERSIONS_PUT_MAX, 1, 0);
    struct object *over = copy_with_siblings(VERSIONS_PUT_MAX + 2, 1, 0);

    assert_int_equal(put_beside(nearly, 0, 1), STATUS_OK);
    assert_int_equal(put_beside(full, 0, 1), STATUS_TOO_MANY_VERSIONS);
    assert_int_equal(put_beside(full, 1, 1), STATUS_OK);
    assert_int_equal(put_beside(over, 0, 1), STATUS_TOO_MANY_VERSIONS);
    assert_int_equal(put_beside(over, 1, 1), STATUS_OK);

    object_unref(nearly);
    object_unref(full);
    object_unref(over);
}

static void test_object_update__too_many_bytes__takes_only_what_resolves(void **state)
{
    (void)state;
    struct object *seven = copy_with_siblings(7, VALUE_SIZE_MAX, 0);
    struct object *eight = copy_with_siblings(8, VALUE_SIZE_MAX, 0);

    assert_int_equal(put_beside(seven, 0, VALUE_SIZE_MAX), STATUS_OK);
    assert_int_equal(put_beside(eight, 0, 1), STATUS_TOO_MANY_VERSIONS);
    assert_int_equal(put_beside(eight, 0, 0), STATUS_OK);
    assert_int_equal(put_beside(eight, 1, VALUE_SIZE_MAX), STATUS_OK);

    object_unref(seven);
    object_unref(eight);
}

static void test_object_update__too_many_bytes__counts_xattrs(void **state)
{
    (void)state;
    struct object *eight = copy_with_siblings(8, VALUE_SIZE_MAX - 2, 1);

    assert_int_equal(put_with_xattrs(eight, 0, 4, 4), STATUS_OK);
    assert_int_equal(put_with_xattrs(eight, 0, 5, 4), STATUS_TOO_MANY_VERSIONS);
    assert_int_equal(put_with_xattrs(eight, 0, 4, 5), STATUS_TOO_MANY_VERSIONS);
    assert_int_equal(put_with_xattrs(eight, 1, 4, 5), STATUS_OK);

    object_unref(eight);
}

static void test_object_update__greatest_value__is_taken(void **state)
{
    (void)state;
    struct blob *content = blob_new_uninitialised(VALUE_SIZE_MAX);
    struct blob *xattrs = blob_new_uninitialised(XATTRS_SIZE_MAX);
    assert_non_null(content);
    assert_non_null(xattrs);
    memset(content->data, 'x', content->size);
    struct version value = {.attributes = {.type = VERSION_DIRECTORY, .mode = 07777},
                            .content = content,
                            .xattrs = xattrs};
    struct update update = {.mode = UPDATE_ALL, .value = &value};
    struct coordinator coordinator = {.node = 1, .counter = 50, .birth = 50};
    struct object *object = NULL;

    assert_int_equal(object_update(NULL, &update, &coordinator, &object), STATUS_OK);
    assert_int_equal(object_newest(object)->attributes.mode, 07777);
    assert_int_equal(object_content_size(object), VALUE_SIZE_MAX + XATTRS_SIZE_MAX);
    object_unref(object);
    blob_unref(content);
    blob_unref(xattrs);
}

static void test_object_update__copy__is_not_changed(void **state)
{
    (void)state;
    struct object *copy = make_object("1.10:20 2.1:7 | 2.1:7 1.10:20", "1.10:0");
    struct version value = make_version(make_dot("99.99:99"), "value");
    struct update update = {.mode = UPDATE_ALL, .context = copy->clock, .value = &value};
    struct coordinator coordinator = {.node = 1, .counter = 50, .birth = 50};
    struct object *object = NULL;

    assert_int_equal(object_update(copy, &update, &coordinator, &object), STATUS_OK);

    assert_object(object, "1.10:50 2.1:7 | 1.10:50");
    assert_object(copy, "1.10:20 2.1:7 | 2.1:7 1.10:20");
    assert_int_equal(atomic_load(&copy->references), 1);
    object_unref(object);
    object_unref(copy);
    version_drop(&value);
}

static uint64_t deleted_by(struct put put)
{
    struct object *object = NULL;
    assert_int_equal(run_put(&put, &object), STATUS_OK);
    uint64_t deleted_us = object->deleted_us;
    object_unref(object);
    return deleted_us;
}

/* The age of a tombstone is that of the delete, not of the last write. */
static void test_object_update__delete__carries_its_time(void **state)
{
    (void)state;
    const char *copy = "1.10:20 2.5:9 | 2.5:9 1.10:20";

    assert_int_equal(
        deleted_by((struct put){
            .copy = copy, .context = "1.10:20 2.5:9", .is_delete = true, .counter = 900}),
        900);
    assert_int_equal(deleted_by((struct put){
                         .copy = copy, .dots = "2.5:9", .is_delete = true, .counter = 901}),
                     901);
    assert_int_equal(deleted_by((struct put){
                         .copy = NULL, .context = "2.5:9", .is_delete = true, .counter = 902}),
                     902);
    assert_int_equal(deleted_by((struct put){.copy = NULL, .counter = 905}), 0);
    /* Nothing goes, nothing is learnt. */
    assert_int_equal(
        deleted_by((struct put){
            .copy = "1.10:20 |", .context = "1.10:20", .is_delete = true, .counter = 903}),
        20);
    assert_int_equal(
        deleted_by((struct put){.copy = copy, .context = "1.10:20 2.5:9", .counter = 904}), 0);
}

static void test_object_counter_floor__readings__up_to_a_minute_ahead(void **state)
{
    (void)state;
    const uint64_t wall = 1000000000;
    const uint64_t limit = wall + COUNTER_AHEAD_MAX_US;
    struct dot of_copy[] = {{{1, 1}, 7}, {{2, 1}, limit}};
    struct dot of_context[] = {{{1, 1}, 9}, {{3, 1}, limit + 1}};
    struct clock copy_clock = {.count = 2, .pair = of_copy};
    struct clock context = {.count = 2, .pair = of_context};
    struct object *copy = NULL;
    assert_int_equal(object_new(&copy_clock, NULL, 0, (struct actor){0}, &copy), STATUS_OK);

    assert_int_equal(object_counter_floor(copy, &context, wall), limit);
    assert_int_equal(object_counter_floor(copy, &context, wall - 1), 9);
    assert_int_equal(object_counter_floor(copy, &context, wall + 1), limit + 1);
    assert_int_equal(object_counter_floor(NULL, &context, wall), 9);
    assert_int_equal(object_counter_floor(copy, NULL, wall - 1), 7);
    assert_int_equal(object_counter_floor(NULL, NULL, wall), 0);
    assert_int_equal(object_counter_floor(copy, &context, UINT64_MAX), limit + 1);
    object_unref(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object_update__first_put__opens_a_pair),
        cmocka_unit_test(test_object_update__value__is_finished_by_the_coordinator),
        cmocka_unit_test(test_object_update__no_content__is_an_empty_one),
        cmocka_unit_test(test_object_update__context__supersedes_what_it_covers),
        cmocka_unit_test(test_object_update__delete__leaves_a_tombstone_over_the_context),
        cmocka_unit_test(test_object_update__some_dots__drops_them_and_keeps_the_clock),
        cmocka_unit_test(test_object_update__dot_that_the_copy_has_not_heard_of__is_refused),
        cmocka_unit_test(test_object_update__none__is_the_copy_itself),
        cmocka_unit_test(test_object_update__untrusted_pair__is_not_extended),
        cmocka_unit_test(test_object_update__pair_ahead_of_the_counter__opens_a_new_one),
        cmocka_unit_test(test_object_update__own_pair_is_truncated__is_no_longer_own),
        cmocka_unit_test(test_object_update__eleven_pairs__lose_the_least_recent),
        cmocka_unit_test(test_object_update__truncation__spares_what_live_versions_need),
        cmocka_unit_test(test_object_update__more_live_than_kept__keeps_all_live),
        cmocka_unit_test(test_object_truncate__version_that_does_not_count__spares_no_pair),
        cmocka_unit_test(test_object_update__huge_context__is_cut_down),
        cmocka_unit_test(test_object_update__too_many_siblings__takes_only_what_resolves),
        cmocka_unit_test(test_object_update__too_many_bytes__takes_only_what_resolves),
        cmocka_unit_test(test_object_update__too_many_bytes__counts_xattrs),
        cmocka_unit_test(test_object_update__greatest_value__is_taken),
        cmocka_unit_test(test_object_update__copy__is_not_changed),
        cmocka_unit_test(test_object_update__delete__carries_its_time),
        cmocka_unit_test(test_object_counter_floor__readings__up_to_a_minute_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
