/*
 * test_options.c - the command line of dynamofs.
 *
 * Rules: every option of the manual is understood; one that is not is named in one line; values
 * are checked for their range; words of /etc/fstab are passed over, words of libfuse handed on;
 * what excludes another is refused; paths become absolute; no data lies under the mount.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/dynamofs/options.h"

enum { WORDS_MAX = 16 };

/* Splits a command line at its spaces, so that each test shows what a user would type. */
static enum status parse(const char *line, struct options *options, struct error *error)
{
    char *copy = strdup(line);
    char *argv[WORDS_MAX + 1] = {0};
    char *rest = copy;
    char *word;
    int argc = 0;

    assert_non_null(copy);
    while ((word = strsep(&rest, " "))) {
        assert_true(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    memset(error, 0, sizeof *error);
    enum status status = options_parse(argc, argv, options, error);
    free(copy);
    return status;
}

static void parse_well(const char *line, struct options *options)
{
    struct error error;

    if (parse(line, options, &error) != STATUS_OK) {
        fail_msg("%s: %s", line, error.text);
    }
}

/* Parses, and expects an error whose text holds `part` and is one line. */
static void parse_badly(const char *line, const char *part)
{
    struct options options;
    struct error error;

    if (parse(line, &options, &error) == STATUS_OK) {
        fail_msg("%s: was taken", line);
    }
    if (!strstr(error.text, part) || strchr(error.text, '\n')) {
        fail_msg("%s: \"%s\" does not say \"%s\"", line, error.text, part);
    }
    assert_int_not_equal(error.code, STATUS_OK);
}

static void test_options__mountpoint_alone__defaults(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs /mnt", &options);

    assert_string_equal(options.mountpoint, "/mnt");
    assert_null(options.cluster);
    assert_null(options.join);
    assert_null(options.data);
    assert_null(options.listen);
    assert_false(options.insecure || options.foreground || options.debug);
    assert_int_equal(options.r, 0);
    assert_int_equal(options.w, 0);
    assert_int_equal(options.timeout_ms, 0);
    assert_int_equal(options.block_grace_ms, 0);
    assert_int_equal(options.attr_timeout_ms, -1);
    assert_int_equal(options.entry_timeout_ms, -1);
    assert_string_equal(options.fuse, "fsname=dynamofs,subtype=dynamofs,default_permissions");
    options_release(&options);
}

static void test_options__everything_of_a_node__is_taken(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs --join a:1,b:2 --data /d --listen 0.0.0.0:7450 --insecure "
               "--secret-file s -f /mnt",
               &options);

    assert_string_equal(options.join, "a:1,b:2");
    assert_string_equal(options.data, "/d");
    assert_string_equal(options.listen, "0.0.0.0:7450");
    assert_string_equal(options.secret_file, "s");
    assert_true(options.insecure);
    assert_true(options.foreground);
    options_release(&options);
}

static void test_options__mount_options__are_taken(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs --cluster a:1 /mnt -o r=1,w=3,timeout=2.5 "
               "-o attr_timeout=0,entry_timeout=0.25,block_grace=2592000,ro",
               &options);

    assert_string_equal(options.cluster, "a:1");
    assert_int_equal(options.r, 1);
    assert_int_equal(options.w, 3);
    assert_int_equal(options.timeout_ms, 2500);
    assert_int_equal(options.attr_timeout_ms, 0);
    assert_int_equal(options.entry_timeout_ms, 250);
    assert_true(options.block_grace_ms == INT64_C(2592000000));
    assert_true(options.read_only);
    options_release(&options);
}

static void test_options__ownership_and_siblings__are_taken(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs /mnt -o uid=0,gid=4294967294,umask=022,siblings=hide", &options);

    assert_true(options.ownership.has_user && options.ownership.has_group &&
                options.ownership.has_umask);
    assert_int_equal(options.ownership.user, 0);
    assert_int_equal(options.ownership.group, 4294967294U);
    assert_int_equal(options.ownership.umask, 022);
    assert_true(options.hide_siblings);
    options_release(&options);

    parse_well("dynamofs /mnt -o siblings=hide,siblings=show", &options);
    assert_false(options.hide_siblings || options.ownership.has_user);
    options_release(&options);
}

/* mount(8) with a type of `dynamofs` runs mount.dynamofs SOURCE DIR [-sfnv] [-o WORDS]. */
static void test_options__as_a_helper_of_mount_8__its_switches(void **state)
{
    struct options options;

    (void)state;
    parse_well("/sbin/mount.dynamofs a:1 /mnt -fnv -o rw,timeout=2 -t dynamofs", &options);
    assert_true(options.fake);
    assert_false(options.foreground || options.debug);
    assert_string_equal(options.cluster, "a:1");
    assert_int_equal(options.timeout_ms, 2000);
    options_release(&options);

    parse_well("mount.dynamofs none /mnt -o frobnicate,ro -s", &options);
    assert_true(options.read_only);
    assert_false(options.fake);
    options_release(&options);

    parse_badly("mount.dynamofs none /mnt -o frobnicate", "unknown option -o frobnicate");
    parse_badly("mount.dynamofs none /mnt -d", "unknown option -d");
}

static void test_options__rw_after_ro__last_one_counts(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs -o ro,rw /mnt", &options);

    assert_false(options.read_only);
    options_release(&options);
}

static void test_options__fstab_words__are_passed_over(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs /mnt -o defaults,user,noauto,nofail,_netdev,x-systemd.automount,"
               "comment=mine,,noatime",
               &options);

    assert_string_equal(options.fuse,
                        "fsname=dynamofs,subtype=dynamofs,noatime,default_permissions");
    options_release(&options);
}

static void test_options__comma_in_a_name__stays_in_its_word(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs -o fsname=a\\,b,nodev /mnt", &options);

    assert_string_equal(
        options.fuse,
        "fsname=dynamofs,subtype=dynamofs,fsname=a\\,b,nodev,default_permissions");
    options_release(&options);
}

static void test_options__as_mount_8_calls__first_argument_is_the_cluster(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs a:1,b:2 /mnt -o rw,nosuid", &options);
    assert_string_equal(options.cluster, "a:1,b:2");
    assert_string_equal(options.mountpoint, "/mnt");
    options_release(&options);

    parse_well("dynamofs none /mnt", &options);
    assert_null(options.cluster);
    assert_string_equal(options.mountpoint, "/mnt");
    options_release(&options);
}

/* Or `mount -a` would take the line for one that is not mounted. */
static void test_options__source_of_fstab__is_the_name(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs a:1,b:2 /mnt", &options);
    assert_string_equal(
        options.fuse, "fsname=dynamofs,subtype=dynamofs,fsname=a:1\\,b:2,default_permissions");
    options_release(&options);

    parse_well("dynamofs none /mnt -o nodev", &options);
    assert_string_equal(
        options.fuse, "fsname=dynamofs,subtype=dynamofs,nodev,fsname=none,default_permissions");
    options_release(&options);

    parse_well("dynamofs none /mnt -o fsname=mine", &options);
    assert_string_equal(options.fuse,
                        "fsname=dynamofs,subtype=dynamofs,fsname=mine,default_permissions");
    options_release(&options);
}

static void test_options__access_times__any_way_is_taken(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs /mnt -o atime,relatime,norelatime,strictatime,nostrictatime,"
               "diratime,nodiratime,lazytime,nolazytime",
               &options);

    assert_string_equal(options.fuse, "fsname=dynamofs,subtype=dynamofs,default_permissions");
    options_release(&options);
}

static void test_options__own_node_in_fstab__is_taken(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs none /mnt -o data=/srv/d,listen=127.0.0.1:0,join=a:1,"
               "secret-file=/etc/s,insecure",
               &options);
    assert_string_equal(options.data, "/srv/d");
    assert_string_equal(options.listen, "127.0.0.1:0");
    assert_string_equal(options.join, "a:1");
    assert_string_equal(options.secret_file, "/etc/s");
    assert_true(options.insecure);
    options_release(&options);

    parse_badly("dynamofs /mnt -o data=", "is empty");
    parse_badly("dynamofs a:1 /mnt -o data=/srv/d", "cannot be given with --cluster");
}

static void test_options__debug__stays_in_the_foreground(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs -d /mnt", &options);
    assert_true(options.debug && options.foreground);
    options_release(&options);

    parse_well("dynamofs -o debug /mnt", &options);
    assert_true(options.debug && options.foreground);
    options_release(&options);
}

static void test_options__help_or_version__needs_no_mountpoint(void **state)
{
    struct options options;

    (void)state;
    parse_well("dynamofs --help", &options);
    assert_true(options.help);
    options_release(&options);

    parse_well("dynamofs --version", &options);
    assert_true(options.version);
    options_release(&options);
    assert_non_null(strstr(options_help(), "--cluster"));
}

static void test_options__unknown__is_named(void **state)
{
    (void)state;
    parse_badly("dynamofs --frobnicate /mnt", "unknown option --frobnicate");
    parse_badly("dynamofs -x /mnt", "unknown option -x");
    parse_badly("dynamofs -fx /mnt", "unknown option -x");
    parse_badly("dynamofs -o frobnicate /mnt", "unknown option -o frobnicate");
    parse_badly("dynamofs -o ro,size=3,rw /mnt", "unknown option -o size=3");
    parse_badly("dynamofs -o R=1 /mnt", "unknown option -o R=1");
    parse_badly("dynamofs --insecure=yes /mnt", "--insecure");
}

static void test_options__value_out_of_range__is_refused(void **state)
{
    static const char *const BAD[] = {
        "r=0",
        "r=9",
        "r=",
        "r=1x",
        "w=-1",
        "w=10",
        "timeout=0",
        "timeout=",
        "timeout=.",
        "timeout=abc",
        "timeout=1e3",
        "timeout=-1",
        "timeout=3601",
        "timeout=0.05",
        "timeout=1.2.3",
        "timeout=inf",
        "timeout=0x10",
        "timeout=1,5",
        "block_grace=0.5",
        "block_grace=2592001",
        "block_grace=99999999999999999999",
        "block_grace=day",
        "attr_timeout=90000",
        "entry_timeout=x",
        "uid=",
        "uid=4294967295",
        "gid=-1",
        "gid=99999999999999999999",
        "uid=root",
        "umask=1000",
        "umask=8",
        "umask=",
        "siblings=maybe",
        "siblings=",
        "entry_timeout=99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        char line[128];

        (void)snprintf(line, sizeof line, "dynamofs -o %s /mnt", BAD[i]);
        parse_badly(line, "option ");
    }
}

static void test_options__value_missing__is_refused(void **state)
{
    (void)state;
    parse_badly("dynamofs /mnt --data", "--data needs a value");
    parse_badly("dynamofs /mnt -o", "-o needs a value");
    parse_badly("dynamofs --cluster= /mnt", "--cluster: is empty");
}

static void test_options__addresses__of_the_form(void **state)
{
    (void)state;
    parse_badly("dynamofs --cluster nowhere /mnt", "--cluster nowhere: not of the form");
    parse_badly("dynamofs --cluster a:1,b /mnt", "--cluster a:1,b: not of the form");
    parse_badly("dynamofs --join a:0 /mnt", "--join a:0: not of the form");
    parse_badly("dynamofs --listen a:70000 /mnt", "--listen a:70000: not of the form");
    parse_badly("dynamofs a:x /mnt", "a:x: not of the form");
}

static void test_options__mountpoints__exactly_one(void **state)
{
    (void)state;
    parse_badly("dynamofs", "no mountpoint");
    parse_badly("dynamofs /a /b", "not also /a");
    parse_badly("dynamofs /a /b /c", "not also /b");
    parse_badly("dynamofs --cluster a:1 b:2 /c", "not also b:2");
}

static void test_options__node_options_with_cluster__are_refused(void **state)
{
    (void)state;
    parse_badly("dynamofs --cluster a:1 --join b:1 /m", "--join");
    parse_badly("dynamofs --cluster a:1 --data /d /m", "--data");
    parse_badly("dynamofs --cluster a:1 --listen c:1 /m", "--listen");
    parse_badly("dynamofs --cluster a:1 --insecure /m", "--insecure");
}

static enum status resolve(const char *line, struct options *options, struct error *error)
{
    parse_well(line, options);
    return options_resolve(options, error);
}

static void test_options_resolve__relative_paths__become_absolute(void **state)
{
    struct options options;
    struct error error;
    char working[PATH_MAX];

    (void)state;
    char expected[PATH_MAX + 8];
    assert_int_equal(chdir("/usr"), 0);
    assert_non_null(getcwd(working, sizeof working));
    assert_int_equal(
        resolve("dynamofs --data some/where --secret-file a/key bin/..//bin", &options, &error),
        STATUS_OK);

    (void)snprintf(expected, sizeof expected, "%s/bin", working);
    char *real = realpath(expected, NULL);
    assert_string_equal(options.mountpoint, real);
    assert_string_equal(options.data, "/usr/some/where");
    assert_string_equal(options.secret_file, "/usr/a/key");
    free(real);
    options_release(&options);
}

/* Also a client names it so; what the option says comes first. */
static void test_options_resolve__secret_file_in_the_environment__is_taken(void **state)
{
    struct options options;
    struct error error;

    (void)state;
    assert_int_equal(chdir("/usr"), 0);
    assert_int_equal(setenv("DYNAMOFS_SECRET_FILE", "their/key", 1), 0);
    assert_int_equal(resolve("dynamofs --cluster a:1 bin", &options, &error), STATUS_OK);
    assert_string_equal(options.secret_file, "/usr/their/key");
    options_release(&options);
    assert_int_equal(resolve("dynamofs --cluster a:1 --secret-file /k bin", &options, &error),
                     STATUS_OK);
    assert_string_equal(options.secret_file, "/k");
    options_release(&options);
    assert_int_equal(unsetenv("DYNAMOFS_SECRET_FILE"), 0);
}

static void test_options_resolve__no_directory__says_so(void **state)
{
    struct options options;
    struct error error;

    (void)state;
    assert_int_not_equal(resolve("dynamofs /no/such/place", &options, &error), STATUS_OK);
    assert_string_equal(error.text, "mount on /no/such/place: No such file or directory");
    options_release(&options);

    assert_int_not_equal(resolve("dynamofs /etc/passwd", &options, &error), STATUS_OK);
    assert_string_equal(error.text, "mount on /etc/passwd: is not a directory");
    options_release(&options);
}

static void test_options_resolve__data_under_the_mount__is_refused(void **state)
{
    struct options options;
    struct error error;

    (void)state;
    assert_int_not_equal(resolve("dynamofs --data /usr/lib/x /usr", &options, &error),
                         STATUS_OK);
    assert_non_null(strstr(error.text, "under the mount"));
    options_release(&options);

    assert_int_equal(resolve("dynamofs --data /usrx /usr", &options, &error), STATUS_OK);
    options_release(&options);
}

static void test_options_resolve__no_data_given__is_the_users_or_the_systems(void **state)
{
    struct options options;
    struct error error;

    (void)state;
    assert_int_equal(setenv("XDG_DATA_HOME", "/xdg", 1), 0);
    assert_int_equal(resolve("dynamofs /usr", &options, &error), STATUS_OK);
    assert_string_equal(options.data, geteuid() == 0 ? "/var/lib/dynamofs" : "/xdg/dynamofs");
    options_release(&options);

    /* A relative XDG_DATA_HOME counts as none. */
    assert_int_equal(setenv("XDG_DATA_HOME", "xdg", 1), 0);
    assert_int_equal(setenv("HOME", "/home/me", 1), 0);
    assert_int_equal(resolve("dynamofs /usr", &options, &error), STATUS_OK);
    assert_string_equal(options.data, geteuid() == 0 ? "/var/lib/dynamofs"
                                                     : "/home/me/.local/share/dynamofs");
    options_release(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options__mountpoint_alone__defaults),
        cmocka_unit_test(test_options__everything_of_a_node__is_taken),
        cmocka_unit_test(test_options__mount_options__are_taken),
        cmocka_unit_test(test_options__ownership_and_siblings__are_taken),
        cmocka_unit_test(test_options__as_a_helper_of_mount_8__its_switches),
        cmocka_unit_test(test_options__rw_after_ro__last_one_counts),
        cmocka_unit_test(test_options__fstab_words__are_passed_over),
        cmocka_unit_test(test_options__comma_in_a_name__stays_in_its_word),
        cmocka_unit_test(test_options__as_mount_8_calls__first_argument_is_the_cluster),
        cmocka_unit_test(test_options__source_of_fstab__is_the_name),
        cmocka_unit_test(test_options__access_times__any_way_is_taken),
        cmocka_unit_test(test_options__own_node_in_fstab__is_taken),
        cmocka_unit_test(test_options__debug__stays_in_the_foreground),
        cmocka_unit_test(test_options__help_or_version__needs_no_mountpoint),
        cmocka_unit_test(test_options__unknown__is_named),
        cmocka_unit_test(test_options__value_out_of_range__is_refused),
        cmocka_unit_test(test_options__value_missing__is_refused),
        cmocka_unit_test(test_options__addresses__of_the_form),
        cmocka_unit_test(test_options__mountpoints__exactly_one),
        cmocka_unit_test(test_options__node_options_with_cluster__are_refused),
        cmocka_unit_test(test_options_resolve__relative_paths__become_absolute),
        cmocka_unit_test(test_options_resolve__secret_file_in_the_environment__is_taken),
        cmocka_unit_test(test_options_resolve__no_directory__says_so),
        cmocka_unit_test(test_options_resolve__data_under_the_mount__is_refused),
        cmocka_unit_test(test_options_resolve__no_data_given__is_the_users_or_the_systems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
