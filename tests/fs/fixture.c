/*
 * fixture.c - what the tests of the FUSE layer share: one mount for each test.
 */
#include "tests/fs/fixture.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 64 << 10, NAMES_MAX = 64 };

int fixture_mount(void **state)
{
    *state = fuse_kernel_start();
    return *state ? 0 : -1;
}

int fixture_unmount(void **state)
{
    return fuse_kernel_stop(*state) ? 0 : -1;
}

void check_errno(int got, int expected, const char *what, const char *file, int line)
{
    if (got != expected) {
        print_error("%s: %s, not %s\n", what, strerror(got), strerror(expected));
        _fail(file, line);
    }
}

void assert_content(struct fuse_kernel *kernel, uint64_t parent, const char *name,
                    const char *expected)
{
    char *text = test_malloc(TEXT_SIZE);
    int error = shell_read(kernel, parent, name, text, TEXT_SIZE);

    if (error != 0) {
        fail_msg("read %s: %s", name, strerror(error));
    }
    assert_string_equal(text, expected);
    test_free(text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts names that are parted by spaces: no order of a directory is promised. */
static void sort_names(char *names)
{
    char *copy = strdup(names);
    char *words[NAMES_MAX];
    char *rest = copy;
    size_t count = 0;

    assert_non_null(copy);
    while (names[0] != '\0' && count < NAMES_MAX && rest) {
        words[count++] = strsep(&rest, " ");
    }
    qsort(words, count, sizeof words[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        names = stpcpy(stpcpy(names, i > 0 ? " " : ""), words[i]);
    }
    free(copy);
}

void assert_names(struct fuse_kernel *kernel, uint64_t inode, const char *expected)
{
    char *names = test_malloc(TEXT_SIZE);

    for (int plus = 0; plus < 2; plus++) {
        assert_done(shell_list(kernel, inode, plus == 1, names, TEXT_SIZE));
        sort_names(names);
        assert_string_equal(names, expected);
    }
    test_free(names);
}

static void put_elsewhere(struct fuse_kernel *kernel, const char *key, const char *content,
                          const struct clock *context)
{
    struct version value = {.attributes = {.type = VERSION_FILE, .mode = 0644},
                            .content = blob_new(slice_of_string(content))};
    struct kv_put put = {.key = slice_of_string(key), .mode = UPDATE_ALL, .value = &value};

    assert_non_null(value.content);
    if (context) {
        put.context = *context;
    }
    assert_int_equal(kv_put(fuse_kernel_kv(kernel), &put, NULL, NULL), STATUS_OK);
    blob_unref(value.content);
}

void write_elsewhere(struct fuse_kernel *kernel, const char *key, const char *content)
{
    put_elsewhere(kernel, key, content, NULL);
}

void supersede_elsewhere(struct fuse_kernel *kernel, const char *key, const char *content)
{
    struct object *object = NULL;

    assert_int_equal(kv_get(fuse_kernel_kv(kernel), slice_of_string(key), NULL, &object),
                     STATUS_OK);
    put_elsewhere(kernel, key, content, &object->clock);
    object_unref(object);
}

unsigned versions_of(struct fuse_kernel *kernel, const char *key)
{
    struct object *object = NULL;
    enum status status = kv_get(fuse_kernel_kv(kernel), slice_of_string(key), NULL, &object);
    unsigned count = status == STATUS_OK ? object->version_count : 0;

    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    object_unref(object);
    return count;
}
