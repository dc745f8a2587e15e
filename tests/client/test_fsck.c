/*
 * test_fsck.c - what the check says of a store: nothing of a whole one, and of each thing that is
 *               wrong just that; and what it does not know it does not say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector_fixture.h"
#include "node/client/fsck.h"

enum { FINDINGS_MAX = 64 };

/* A store below which a key can be hidden from reads, or from listings, or cannot be read. */
struct veil {
    struct kv kv;
    struct kv *inner;
    struct slice hidden;   /* a key */
    struct slice unlisted; /* ... of which there is no row */
    struct slice failing;
    enum status failure;
    bool is_mended_by_push;
    void (*before)(struct slice key); /* of a get */
    unsigned puts;
};

struct look {
    struct veil veil;
    struct fixture *fixture;
    struct fsck_finding findings[FINDINGS_MAX];
    char keys[FINDINGS_MAX][64];
    unsigned count;
    uint64_t now_us;
    struct fsck_stats stats;
};

static struct look *look;
static const struct kv_options defaults;

static struct veil *veil_of(struct kv *kv)
{
    return (struct veil *)kv;
}

static enum status veil_get(struct kv *kv, struct slice key, const struct kv_options *options,
                            struct object **ret_object, uint64_t *ret_names_us)
{
    struct veil *veil = veil_of(kv);
    if (veil->before) {
        veil->before(key);
    }
    if (slice_equal(key, veil->failing)) {
        return veil->failure;
    }
    if (slice_equal(key, veil->hidden)) {
        return STATUS_NOT_FOUND;
    }
    return veil->inner->operations->get(veil->inner, key, options, ret_object, ret_names_us);
}

static enum status veil_put(struct kv *kv, const struct kv_put *put,
                            const struct kv_options *options, struct object **ret_row)
{
    struct veil *veil = veil_of(kv);
    veil->puts++;
    if (put->mode == UPDATE_NONE && veil->is_mended_by_push) {
        veil->unlisted = (struct slice){0};
    }
    return veil->inner->operations->put(veil->inner, put, options, ret_row);
}

static enum status veil_list(struct kv *kv, const struct kv_list *list,
                             const struct kv_options *options, struct kv_rows *ret_rows)
{
    struct veil *veil = veil_of(kv);
    size_t kept = 0;
    if (slice_equal(list->directory, veil->failing)) {
        return veil->failure;
    }
    enum status status = veil->inner->operations->list(veil->inner, list, options, ret_rows);
    for (size_t i = 0; status == STATUS_OK && i < ret_rows->count; i++) {
        struct buffer key = {0};
        key_append_child(&key, list->directory, blob_slice(ret_rows->rows[i].name),
                         ret_rows->rows[i].kind);
        if (slice_equal(buffer_slice(&key), veil->unlisted)) {
            row_release(&ret_rows->rows[i]);
        } else {
            ret_rows->rows[kept++] = ret_rows->rows[i];
        }
        buffer_release(&key);
    }
    if (status == STATUS_OK) {
        ret_rows->count = kept;
    }
    return status;
}

static const struct kv_operations veil_operations = {
    .get = veil_get, .put = veil_put, .list = veil_list};

static void take_finding(void *context, const struct fsck_finding *finding)
{
    (void)context;
    assert_true(look->count < FINDINGS_MAX);
    look->findings[look->count] = *finding;
    snprintf(look->keys[look->count], sizeof look->keys[0], "%.*s", (int)finding->key.size,
             finding->key.size > 0 ? (const char *)finding->key.data : "");
    look->count++;
}

/* The stores' counters are those of this machine's wall clock. */
static uint64_t wall_us(void)
{
    return look->now_us;
}

static enum status check_path(const char *path, bool repair)
{
    struct fsck_options options = {.kv = &look->veil.kv,
                                   .path = slice_of_string(path),
                                   .repair = repair,
                                   .grace_us = GRACE_US,
                                   .wall_us = wall_us,
                                   .on_finding = take_finding};
    look->count = 0;
    look->veil.puts = 0;
    return fsck_run(&options, &look->stats);
}

static void check_all(bool repair)
{
    assert_int_equal(check_path("/", repair), STATUS_OK);
}

/* Just this was found. */
static void assert_found(enum fsck_kind kind, const char *key)
{
    assert_int_equal(look->count, 1);
    assert_int_equal(look->findings[0].kind, kind);
    assert_string_equal(look->keys[0], key);
    assert_false(look->findings[0].is_repaired);
    assert_int_equal(look->stats.found[kind], 1);
    assert_int_equal(fsck_is_clean(&look->stats), kind == FSCK_UNREAD);
}

static void assert_nothing_found(void)
{
    assert_int_equal(look->count, 0);
    assert_true(fsck_is_clean(&look->stats));
}

static void put_small(const char *key)
{
    bool is_directory = key[strlen(key) - 1] == '/';
    struct version value = {
        .attributes = {.type = is_directory ? VERSION_DIRECTORY : VERSION_FILE},
        .content = is_directory ? NULL : blob_new(slice_of_string("small"))};
    struct kv_put put = {.key = slice_of_string(key), .mode = UPDATE_ALL, .value = &value};
    assert_int_equal(kv_put(look->fixture->kv, &put, &defaults, NULL), STATUS_OK);
    blob_unref(value.content);
}

/* A tree with a directory, a small file, and a large one of three blocks. */
static int set_up(void **state)
{
    look = calloc(1, sizeof *look);
    assert_non_null(look);
    assert_int_equal(begin((void **)&look->fixture), 0);
    look->veil.kv.operations = &veil_operations;
    look->veil.inner = look->fixture->kv;
    look->now_us = UINT64_C(1) << 52;
    put_small("d/");
    put_small("d/small");
    put_small("top");
    store_blocks(look->fixture, 3);
    write_file(look->fixture, "d/large", look->fixture->entries, 3);
    *state = look;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    end((void **)&look->fixture);
    free(look);
    return 0;
}

static void remove_block(uint32_t index)
{
    struct buffer key = {0};
    block_key_block(&key, &look->fixture->set, index, &look->fixture->entries[index]);
    remove_key(look->fixture, buffer_slice(&key));
    buffer_release(&key);
}

static void test_fsck__whole_store__nothing_is_found_and_all_counted(void **state)
{
    (void)state;
    check_all(false);

    assert_nothing_found();
    assert_int_equal(look->stats.directories, 1);
    assert_int_equal(look->stats.files, 3);
    assert_int_equal(look->stats.blocks, 3);
    assert_int_equal(look->stats.sets, 1);
    assert_int_equal(look->stats.shards_done, BLOCK_SHARDS);
    assert_int_equal(look->veil.puts, 0);
    check_all(true);
    assert_nothing_found();
    assert_int_equal(look->veil.puts, 0);
}

static void test_fsck__path__only_what_is_below_is_looked_at(void **state)
{
    (void)state;
    remove_block(1);
    assert_int_equal(check_path("top", false), STATUS_OK);
    assert_nothing_found();
    assert_int_equal(look->stats.files, 1);
    assert_int_equal(check_path("d/large", false), STATUS_OK);
    assert_found(FSCK_BLOCKS, "d/large");
    assert_int_equal(check_path("d", false), STATUS_OK);
    assert_found(FSCK_BLOCKS, "d/large");
    assert_int_equal(look->stats.sets, 0);
    assert_int_equal(check_path("d/", false), STATUS_OK);
    assert_found(FSCK_BLOCKS, "d/large");
    assert_int_equal(check_path("nowhere", false), STATUS_NOT_FOUND);
    assert_int_equal(check_path("nowhere/", false), STATUS_NOT_FOUND);
}

static void test_fsck__many_names__each_is_looked_at_once(void **state)
{
    char key[32];
    (void)state;
    for (int i = 0; i < 600; i++) {
        snprintf(key, sizeof key, "many/%03d%s", i, i % 3 == 0 ? "/" : "");
        put_small(key);
    }
    put_small("many/");
    put_small("many/000/below");

    check_all(false);

    assert_nothing_found();
    assert_int_equal(look->stats.directories, 202);
    assert_int_equal(look->stats.files, 404);
}

static void test_fsck__blocks_are_gone_or_wrong__counted_from_the_first(void **state)
{
    struct buffer key = {0};
    (void)state;
    remove_block(2);
    /* Another content under the block's own key. */
    block_key_block(&key, &look->fixture->set, 1, &look->fixture->entries[1]);
    remove_key(look->fixture, buffer_slice(&key));
    struct version value = {.attributes = {.type = VERSION_FILE},
                            .content = blob_new(slice_of_string("blick"))};
    struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_ALL, .value = &value};
    assert_int_equal(kv_put(look->fixture->kv, &put, &defaults, NULL), STATUS_OK);
    blob_unref(value.content);
    buffer_release(&key);

    check_all(false);

    assert_found(FSCK_BLOCKS, "d/large");
    assert_int_equal(look->findings[0].blocks, 2);
    assert_int_equal(look->findings[0].offset, BLOCK_SIZE);
    assert_int_equal(look->stats.blocks, 1);
    check_all(true); /* nothing can bring them back */
    assert_found(FSCK_BLOCKS, "d/large");
}

static void test_fsck__map_is_gone__is_found(void **state)
{
    struct block_entry block;
    struct buffer key = {0};
    (void)state;
    assert_int_equal(block_set_new(&look->fixture->set), STATUS_OK);
    struct block_entry map = write_mapped(look->fixture, "mapped", &block);
    check_all(false);
    assert_nothing_found();
    assert_int_equal(look->stats.blocks, 5);
    block_key_block(&key, &look->fixture->set, MAP_BLOCKS, &map);
    remove_key(look->fixture, buffer_slice(&key));
    buffer_release(&key);

    assert_int_equal(check_path("mapped", false), STATUS_OK);

    assert_found(FSCK_BLOCKS, "mapped");
    assert_int_equal(look->findings[0].offset, (uint64_t)MAP_BLOCKS * BLOCK_SIZE);
}

static void overwrite_before(struct slice key)
{
    look->veil.before = NULL;
    (void)key;
    store_blocks(look->fixture, 2);
    write_file(look->fixture, "d/large", look->fixture->entries, 2);
}

static void overwrite_at_block(struct slice key)
{
    if (key_is_internal(key)) {
        overwrite_before(key);
    }
}

/* Its old blocks are gone, and so is the version that named them. */
static void test_fsck__overwritten_while_it_looks__is_nothing_wrong(void **state)
{
    (void)state;
    remove_block(0);
    look->veil.before = overwrite_at_block;
    look->now_us = 0; /* what is left of the old one is young */

    check_all(false);

    assert_nothing_found();
    assert_null(look->veil.before);
}

static void test_fsck__listed_and_not_there__is_found(void **state)
{
    (void)state;
    look->veil.hidden = slice_of_string("d/small");
    check_all(false);
    assert_found(FSCK_GONE, "d/small");
    look->veil.hidden = slice_of_string("d/");
    check_all(false);
    assert_found(FSCK_GONE, "d/");
}

static void remove_top(struct slice key)
{
    if (slice_equal(key, slice_of_string("top"))) {
        look->veil.before = NULL;
        remove_file(look->fixture, "top");
    }
}

static void test_fsck__removed_while_it_looks__is_nothing_wrong(void **state)
{
    (void)state;
    look->veil.before = remove_top;

    check_all(false);

    assert_nothing_found();
    assert_null(look->veil.before);
}

static void test_fsck__there_and_not_listed__is_found_and_pushed(void **state)
{
    (void)state;
    look->veil.unlisted = slice_of_string("d/large");
    check_all(false);
    assert_found(FSCK_UNLISTED, "d/large");
    assert_int_equal(look->veil.puts, 0);
    check_all(true);
    assert_found(FSCK_UNLISTED, "d/large");
    assert_int_equal(look->veil.puts, 1);
    look->veil.is_mended_by_push = true;

    check_all(true);

    assert_int_equal(look->count, 1);
    assert_true(look->findings[0].is_repaired);
    assert_int_equal(look->stats.repaired, 1);
    assert_true(fsck_is_clean(&look->stats));
    check_all(false);
    assert_nothing_found();
}

static void test_fsck__path_is_not_noted__is_found_and_noted(void **state)
{
    struct buffer key = {0};
    (void)state;
    block_key_path(&key, &look->fixture->set, slice_of_string("d/large"));
    remove_key(look->fixture, buffer_slice(&key));
    buffer_release(&key);
    assert_int_equal(check_path("d", false), STATUS_OK);
    assert_found(FSCK_UNNOTED, "d/large");
    assert_false(has_note(look->fixture, "d/large"));

    assert_int_equal(check_path("d", true), STATUS_OK);

    assert_true(look->findings[0].is_repaired && look->count == 1);
    assert_true(has_note(look->fixture, "d/large"));
    check_all(false);
    assert_nothing_found();
}

static void move_at_note(struct slice key)
{
    struct buffer note = {0};
    block_key_path(&note, &look->fixture->set, slice_of_string("d/large"));
    if (slice_equal(key, buffer_slice(&note))) {
        look->veil.before = NULL;
        write_file(look->fixture, "moved", look->fixture->entries, 3);
        remove_file(look->fixture, "d/large");
        remove_key(look->fixture, buffer_slice(&note));
    }
    buffer_release(&note);
}

static void test_fsck__moved_and_forgotten_while_it_looks__is_nothing_wrong(void **state)
{
    (void)state;
    look->veil.before = move_at_note;

    check_all(true);

    assert_nothing_found();
    assert_null(look->veil.before);
    assert_false(has_note(look->fixture, "d/large"));
}

static void test_fsck__set_is_not_announced__is_found_and_announced(void **state)
{
    struct buffer key = {0};
    (void)state;
    block_key_head(&key, &look->fixture->set);
    remove_key(look->fixture, buffer_slice(&key));
    buffer_release(&key);
    check_all(false);
    assert_found(FSCK_UNANNOUNCED, "d/large");

    check_all(true);

    assert_true(look->findings[0].is_repaired && look->count == 1);
    assert_true(has_head(look->fixture));
}

static void test_fsck__no_version_names_a_block__is_found_when_it_is_old(void **state)
{
    (void)state;
    remove_file(look->fixture, "d/large");
    uint64_t late_us = look->now_us;
    look->now_us = 0;
    check_all(false);
    assert_nothing_found();
    assert_int_equal(look->stats.blocks_waiting, 3);
    look->now_us = late_us;

    check_all(true);

    assert_found(FSCK_UNNAMED, "");
    assert_int_equal(look->findings[0].blocks, 3);
    assert_int_equal(look->veil.puts, 0); /* it is the collector's */
    assert_true(has_block(look->fixture, 0));
}

static void test_fsck__set_is_held__nobody_wonders(void **state)
{
    (void)state;
    remove_file(look->fixture, "d/large");
    hold(look->fixture);
    look->now_us = 0;

    check_all(false);

    assert_nothing_found();
    assert_int_equal(look->stats.sets_busy, 1);
}

static void test_fsck__set_makes_no_sense__is_found(void **state)
{
    struct buffer key = {0};
    (void)state;
    block_key_set(&key, &look->fixture->set);
    buffer_append_slice(&key, slice_of_string("nonsense"));
    struct version value = {.attributes = {.type = VERSION_FILE}};
    struct kv_put put = {.key = buffer_slice(&key), .mode = UPDATE_ALL, .value = &value};
    assert_int_equal(kv_put(look->fixture->kv, &put, &defaults, NULL), STATUS_OK);
    buffer_release(&key);

    check_all(false);

    assert_found(FSCK_NONSENSE, "");
}

static void test_fsck__damaged_file__is_found(void **state)
{
    (void)state;
    look->veil.failing = slice_of_string("d/small");
    look->veil.failure = STATUS_CORRUPT;

    check_all(false);

    assert_found(FSCK_DAMAGED, "d/small");
}

/* Whatever cannot be read: that is told, and nothing else is said of it. */
static void test_fsck__something_cannot_be_read__nothing_is_guessed(void **state)
{
    struct buffer keys[5] = {{0}};
    struct fixture *fixture = look->fixture;
    (void)state;
    remove_block(1);
    block_key_block(&keys[0], &fixture->set, 1, &fixture->entries[1]);
    block_key_path(&keys[1], &fixture->set, slice_of_string("d/large"));
    block_key_head(&keys[2], &fixture->set);
    buffer_append_slice(&keys[3], slice_of_string("d/large"));
    buffer_append_slice(&keys[4], slice_of_string("d/"));
    look->veil.failure = STATUS_NO_QUORUM;
    for (int i = 0; i < 5; i++) {
        look->veil.failing = buffer_slice(&keys[i]);
        check_all(i % 2 == 1);
        assert_true(look->count > 0);
        assert_true(look->stats.found[FSCK_UNREAD] > 0);
        bool has_blocks = look->stats.found[FSCK_BLOCKS] > 0;
        assert_int_equal(has_blocks, i == 1 || i == 2);
        assert_int_equal(look->stats.found[FSCK_UNNOTED], 0);
        assert_int_equal(look->stats.found[FSCK_UNANNOUNCED], 0);
        assert_int_equal(look->stats.found[FSCK_GONE], 0);
        assert_int_equal(look->stats.found[FSCK_UNNAMED], 0);
        buffer_release(&keys[i]);
    }
}

static enum status fail_get(struct kv *kv, struct slice key, const struct kv_options *options,
                            struct object **ret_object, uint64_t *ret_names_us)
{
    (void)kv;
    (void)key;
    (void)options;
    (void)ret_object;
    (void)ret_names_us;
    return STATUS_UNREACHABLE;
}

static void test_fsck__nothing_can_be_read__it_gives_up(void **state)
{
    static const struct kv_operations operations = {
        .get = fail_get, .put = veil_put, .list = veil_list};
    char key[32];
    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "d/%d", i);
        put_small(key);
    }
    look->veil.kv.operations = &operations;

    assert_int_equal(check_path("/", false), STATUS_UNREACHABLE);

    assert_in_range(look->count, 2, 50);
    assert_int_equal(look->stats.found[FSCK_UNREAD], look->count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_fsck__whole_store__nothing_is_found_and_all_counted),
        TEST(test_fsck__path__only_what_is_below_is_looked_at),
        TEST(test_fsck__many_names__each_is_looked_at_once),
        TEST(test_fsck__blocks_are_gone_or_wrong__counted_from_the_first),
        TEST(test_fsck__map_is_gone__is_found),
        TEST(test_fsck__overwritten_while_it_looks__is_nothing_wrong),
        TEST(test_fsck__listed_and_not_there__is_found),
        TEST(test_fsck__removed_while_it_looks__is_nothing_wrong),
        TEST(test_fsck__there_and_not_listed__is_found_and_pushed),
        TEST(test_fsck__path_is_not_noted__is_found_and_noted),
        TEST(test_fsck__moved_and_forgotten_while_it_looks__is_nothing_wrong),
        TEST(test_fsck__set_is_not_announced__is_found_and_announced),
        TEST(test_fsck__no_version_names_a_block__is_found_when_it_is_old),
        TEST(test_fsck__set_is_held__nobody_wonders),
        TEST(test_fsck__set_makes_no_sense__is_found),
        TEST(test_fsck__damaged_file__is_found),
        TEST(test_fsck__something_cannot_be_read__nothing_is_guessed),
        TEST(test_fsck__nothing_can_be_read__it_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
