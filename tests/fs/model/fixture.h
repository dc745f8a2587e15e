/*
 * fixture.h - two mounts of one store in memory, used as the kernel uses them.
 */
#ifndef TESTS_FS_MODEL_FIXTURE_H
#define TESTS_FS_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "fs/model/change.h"
#include "fs/model/file.h"
#include "fs/model/open.h"
#include "node/client/kv_memory.h"

enum { ROOT = 1, TEXT_MAX = 4096, LONG_TEXT_MAX = 1 << 16 };

/* A store that fails some call of a sequence. */
struct faulty_kv {
    struct kv kv;
    struct kv *inner;
    unsigned good_calls; /* that go through before */
    unsigned bad_calls;  /* this many fail */
    enum status status;
    void (*before_put)(void *context); /* called once, before the next put goes through */
    void *context;
};

struct mounts {
    struct kv *kv;
    struct faulty_kv faulty; /* over kv; what `here` uses */
    struct fs *here;
    struct fs *there;
    unsigned notes; /* of `here` */
    char last_note[512];
};

/* For cmocka; *state is a struct mounts. */
int mounts_open(void **state);
int mounts_close(void **state);
/* What cmocka_unit_test_setup_teardown wants. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, mounts_open, mounts_close)

/* Of the calls of `here`, after the next `good_calls` the following `bad_calls` fail. */
void fail_after(struct mounts *mounts, unsigned good_calls, unsigned bad_calls,
                enum status status);

/* Looks a name up and keeps it, as the kernel's cache does. Fails the test if it is not
 * there. */
uint64_t look(struct fs *fs, uint64_t parent, const char *name);
/* The errno of a lookup; what it found is forgotten. */
int look_error(struct fs *fs, uint64_t parent, const char *name);
struct stat stat_of(struct fs *fs, uint64_t parent, const char *name);

/* `echo text > name` and `cat name`. read_error gives the errno of opening it. */
int write_error(struct fs *fs, uint64_t parent, const char *name, const char *text);
void write_file(struct fs *fs, uint64_t parent, const char *name, const char *text);
void assert_reads(struct fs *fs, uint64_t parent, const char *name, const char *text);
void assert_file_holds(struct file *file, const char *text);

/* Opens for writing. */
struct file *open_file(struct fs *fs, uint64_t parent, const char *name, bool truncate);
struct file *create_file(struct fs *fs, uint64_t parent, const char *name);
void write_open(struct file *file, uint64_t offset, const char *text);
/* flush and release, as close(2) of the only handle. Returns what close returns. */
int close_file(struct fs *fs, struct file *file);

/* Opens an inode that is there. */
struct opened open_flagged(struct fs *fs, const char *name, unsigned flags);
/* For reading, at the top. */
struct file *hold_open(struct fs *fs, const char *name);

/* By inode; fail the test if they do. */
struct stat stat_of_inode(struct fs *fs, uint64_t inode);
struct stat change_by_id(struct fs *fs, uint64_t inode, struct change change);
/* Returns an errno. */
int set_user_attribute(struct fs *fs, uint64_t inode, const char *name, const char *value);
void assert_user_attribute(struct fs *fs, uint64_t inode, const char *name, const char *value);

uint64_t make_directory(struct fs *fs, uint64_t parent, const char *name);
/* Both names looked up before, as the kernel does. */
int rename_error(struct fs *fs, uint64_t parent, const char *name, uint64_t new_parent,
                 const char *new_name);
int unlink_error(struct fs *fs, uint64_t parent, const char *name);

/* `ls`: the names but for the dots, sorted, parted by spaces. */
void assert_lists(struct fs *fs, uint64_t directory, const char *names);
int list_error(struct fs *fs, uint64_t directory);

/* A version that stands beside what is there, put behind everybody's back. */
void put_beside(struct kv *kv, const char *key, const char *text);
/* How many versions of the key are live. */
unsigned versions_of(struct kv *kv, const char *key);
/* A conflict of two versions, `text`s oldest first, at a top-level name. */
void make_conflict(struct mounts *mounts, const char *name, const char *old_text,
                   const char *new_text);

#endif
