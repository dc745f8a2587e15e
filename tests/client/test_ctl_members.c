/*
 * test_ctl_members.c - dynamoctl's verbs that ask every member, against scripted nodes.
 *
 * usage: test_ctl_members DYNAMOCTL
 *
 * Rules: what each member tells is told, and summed up; a member that does not answer is named,
 * costs the exit status, and takes nothing from the others; repair --wait is over when each
 * member has gone through a pass that began after the command, and succeeds only if every pair
 * was compared and every member has all its copies.
 */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/client/kv.h"
#include "tests/client/fake_node.h"

enum { NODES = 3, OUTPUT_MAX = 16384 };

static const char *dynamoctl;

struct cluster {
    struct kv *store;
    struct fake_node *nodes[NODES];
    struct ring ring;
    char output[OUTPUT_MAX]; /* what the last command wrote, errors too */
};

/* Members have the ids 10, 11 and 12. */
static int cluster_start(void **state)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    struct member members[NODES];
    assert_non_null(cluster);
    assert_int_equal(kv_open_memory(&cluster->store), STATUS_OK);
    for (unsigned i = 0; i < NODES; i++) {
        cluster->nodes[i] = fake_node_new(cluster->store);
        fake_node_set_id(cluster->nodes[i], 10 + i);
        members[i].id = 10 + i;
        snprintf(members[i].address, ADDRESS_SIZE, "%s", fake_node_address(cluster->nodes[i]));
    }
    assert_int_equal(ring_create(77, 8, 3, members, NODES, &cluster->ring), STATUS_OK);
    for (unsigned i = 0; i < NODES; i++) {
        fake_node_set_ring(cluster->nodes[i], &cluster->ring);
    }
    *state = cluster;
    return 0;
}

static int cluster_stop(void **state)
{
    struct cluster *cluster = *state;
    for (unsigned i = 0; i < NODES; i++) {
        fake_node_free(cluster->nodes[i]);
    }
    kv_close(cluster->store);
    free(cluster);
    return 0;
}

/* Runs dynamoctl over the first node and returns its exit code. */
static int run(struct cluster *cluster, const char *arguments)
{
    char command[512];
    snprintf(command, sizeof command, "%s 2>&1 --cluster %s %s", dynamoctl,
             fake_node_address(cluster->nodes[0]), arguments);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    size_t size = fread(cluster->output, 1, OUTPUT_MAX - 1, out);
    cluster->output[size] = '\0';
    int status = pclose(out);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The same with a terminal for its output. */
static int run_on_terminal(struct cluster *cluster, const char *verb, const char *option)
{
    int terminal;
    size_t size = 0;
    ssize_t got;
    int status;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(child >= 0);
    if (child == 0) {
        execl(dynamoctl, dynamoctl, "--cluster", fake_node_address(cluster->nodes[0]), verb,
              option, (char *)NULL);
        _exit(127);
    }
    /* Its end is told as an error of input. */
    while (size + 1 < OUTPUT_MAX &&
           (got = read(terminal, cluster->output + size, OUTPUT_MAX - 1 - size)) > 0) {
        size += (size_t)got;
    }
    cluster->output[size] = '\0';
    close(terminal);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Fails unless the output holds a line with these words in this order, whatever the gaps. */
static void assert_line(const struct cluster *cluster, const char *words[], unsigned count)
{
    for (const char *line = cluster->output; *line != '\0'; line += *line == '\n') {
        const char *at = line;
        const char *end = line + strcspn(line, "\n");
        unsigned met = 0;
        while (met < count && (at = strstr(at, words[met])) && at < end) {
            at += strlen(words[met++]);
        }
        if (met == count) {
            return;
        }
        line = end;
    }
    print_error("no line with \"%s\", ... in:\n%s", words[0], cluster->output);
    fail();
}

#define ASSERT_LINE(cluster, ...)                                                              \
    assert_line(cluster, (const char *[]){__VA_ARGS__},                                        \
                sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void assert_holds(const struct cluster *cluster, const char *text)
{
    if (!strstr(cluster->output, text)) {
        print_error("no \"%s\" in:\n%s", text, cluster->output);
        fail();
    }
}

static const char *address(const struct cluster *cluster, unsigned node)
{
    return fake_node_address(cluster->nodes[node]);
}

/* So old that it makes no odds how long a test takes. */
static uint64_t days_ago_us(unsigned days)
{
    return ((uint64_t)time(NULL) - (uint64_t)days * 24 * 3600 - 3600) * 1000000;
}

/* The first keeps some for the third and for one that is gone, the second for the third. */
static void keep_hints(struct cluster *cluster)
{
    const struct hint_owner first[] = {
        {.owner = 12, .count = 3, .bytes = 2048, .oldest_us = days_ago_us(3)},
        {.owner = 0xabc, .count = 1, .bytes = 10, .oldest_us = days_ago_us(9)}};
    const struct hint_owner second[] = {
        {.owner = 12, .count = 4, .bytes = 1014, .oldest_us = days_ago_us(2)}};
    fake_node_set_hints(cluster->nodes[0], first, 2);
    fake_node_set_hints(cluster->nodes[1], second, 1);
}

static void test_hints__some_are_kept__reported_by_holder_and_owner_and_in_all(void **state)
{
    struct cluster *cluster = *state;
    keep_hints(cluster);

    assert_int_equal(run(cluster, "hints"), 0);

    ASSERT_LINE(cluster, address(cluster, 0), address(cluster, 2), " 3 ", "2.0 KiB", "3 d");
    ASSERT_LINE(cluster, address(cluster, 0), "0000000000000abc", " 1 ", "10 B", "9 d");
    ASSERT_LINE(cluster, address(cluster, 1), address(cluster, 2), " 4 ", "1014 B", "2 d");
    ASSERT_LINE(cluster, "total", " 8 ", "3.0 KiB", "9 d");
}

static void test_hints__none_are_kept__says_so(void **state)
{
    struct cluster *cluster = *state;

    assert_int_equal(run(cluster, "hints"), 0);

    ASSERT_LINE(cluster, "total", " 0 ", "0 B", "-");
}

static void test_hints__a_member_is_silent__named_after_the_others(void **state)
{
    struct cluster *cluster = *state;
    keep_hints(cluster);
    fake_node_stop(cluster->nodes[2]);
    fake_node_always(cluster->nodes[1],
                     (struct step){.kind = STEP_STATUS, .status = STATUS_NOT_READY});

    assert_int_equal(run(cluster, "hints"), 1);

    ASSERT_LINE(cluster, "total", " 4 ", "2.0 KiB", "9 d");
    ASSERT_LINE(cluster, "dynamoctl: hints: ", address(cluster, 1));
    ASSERT_LINE(cluster, "dynamoctl: hints: ", address(cluster, 2));
    assert_true(strstr(cluster->output, "total") < strstr(cluster->output, "dynamoctl: "));
}

static void test_hints__json__has_every_number_exactly(void **state)
{
    struct cluster *cluster = *state;
    const struct hint_owner owners[] = {
        {.owner = 0xabc, .count = 1, .bytes = 10, .oldest_us = 99}};
    char expected[2048];
    fake_node_set_hints(cluster->nodes[1], owners, 1);

    assert_int_equal(run(cluster, "hints --json"), 0);

    snprintf(expected, sizeof expected,
             "{\n  \"cluster\": \"000000000000004d\",\n  \"epoch\": %u,\n"
             "  \"partitions\": 8,\n  \"replicas\": 3,\n  \"hints\": [\n    {\n"
             "      \"holder\": \"%s\",\n      \"holder_id\": \"000000000000000b\",\n"
             "      \"owner\": null,\n      \"owner_id\": \"0000000000000abc\",\n"
             "      \"count\": 1,\n      \"bytes\": 10,\n      \"oldest_us\": 99\n    }\n  ],\n"
             "  \"total\": {\n    \"count\": 1,\n    \"bytes\": 10,\n    \"oldest_us\": 99\n"
             "  },\n  \"unreachable\": []\n}\n",
             (unsigned)cluster->ring.epoch, address(cluster, 1));
    assert_string_equal(cluster->output, expected);
}

static void test_hints__another_cluster__is_not_asked(void **state)
{
    struct cluster *cluster = *state;
    keep_hints(cluster);
    fake_node_set_greeting(cluster->nodes[1], 78, STATUS_OK);

    assert_int_equal(run(cluster, "hints"), 1);

    ASSERT_LINE(cluster, "total", " 4 ");
    ASSERT_LINE(cluster, "dynamoctl: hints: ", address(cluster, 1));
}

/* A member whose passes before were `passes`, and that goes through the next one at once. */
static void repairs_at_once(struct fake_node *node, uint64_t passes)
{
    const struct message_repair_reply replies[] = {
        {.is_complete = true, .passes = passes, .pairs_done = 16, .pairs_total = 16},
        {.is_complete = true,
         .passes = passes + 1,
         .pairs_done = 16,
         .pairs_total = 16,
         .keys_repaired = 2}};
    fake_node_set_repair(node, replies, 2);
}

/* Requests that asked the node to start. */
static unsigned starts(struct fake_node *node)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fake_node_requests(node); i++) {
        count += fake_node_request(node, i).start;
    }
    return count;
}

static void test_repair__all_answer__starts_each_and_does_not_wait(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply running = {.is_running = true, .pairs_total = 16};
    for (unsigned i = 0; i < NODES; i++) {
        const struct message_repair_reply replies[] = {{.passes = 0}, running};
        fake_node_set_repair(cluster->nodes[i], replies, 2);
    }

    assert_int_equal(run(cluster, "repair"), 0);

    assert_string_equal(cluster->output, "repair began on 3 of 3 members\n");
    for (unsigned i = 0; i < NODES; i++) {
        assert_int_equal(starts(cluster->nodes[i]), 1);
    }
}

static void test_repair__a_member_is_away__named(void **state)
{
    struct cluster *cluster = *state;
    fake_node_stop(cluster->nodes[2]);

    assert_int_equal(run(cluster, "repair"), 1);

    assert_holds(cluster, "repair began on 2 of 3 members\n");
    ASSERT_LINE(cluster, "dynamoctl: repair: ", address(cluster, 2));
}

static void test_repair_wait__all_go_through__sums_up(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply slow[] = {
        {.is_complete = true, .passes = 4},
        {.is_running = true, .is_complete = true, .passes = 4, .pairs_total = 16},
        {.is_running = true,
         .is_complete = true,
         .passes = 4,
         .pairs_done = 8,
         .pairs_total = 16},
        {.is_complete = true,
         .passes = 5,
         .pairs_done = 16,
         .pairs_total = 16,
         .keys_repaired = 3}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 7);
    fake_node_set_repair(cluster->nodes[2], slow, 4);

    assert_int_equal(run(cluster, "repair --wait"), 0);

    assert_string_equal(cluster->output,
                        "3 of 3 members through: 7 keys repaired, 0 of 48 pairs failed\n");
    assert_int_equal(starts(cluster->nodes[0]), 1);
    assert_int_equal(starts(cluster->nodes[2]), 1);
}

/* A pass that runs already may have gone past what was just stored. */
static void test_repair_wait__a_pass_runs_already__waits_for_the_next_one(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply replies[] = {
        {.is_running = true, .is_complete = true, .passes = 4, .keys_repaired = 100},
        {.is_running = true, .is_complete = true, .passes = 4, .keys_repaired = 100},
        {.is_running = true, .is_complete = true, .passes = 5, .keys_repaired = 100},
        {.is_complete = true, .passes = 6, .keys_repaired = 101}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], replies, 4);

    assert_int_equal(run(cluster, "repair --wait"), 0);

    assert_holds(cluster, ": 5 keys repaired, ");
    assert_int_equal(fake_node_requests(cluster->nodes[2]), 4);
    assert_int_equal(starts(cluster->nodes[2]), 1);
}

/* The answer to a start tells how it was before; to start again would cost a second pass. */
static void test_repair_wait__a_start_is_answered_idle__is_not_told_twice(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply replies[] = {{.is_complete = true},
                                                   {.is_complete = true},
                                                   {.is_running = true, .is_complete = true},
                                                   {.is_complete = true, .passes = 1}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], replies, 4);

    assert_int_equal(run(cluster, "repair --wait"), 0);

    assert_int_equal(fake_node_requests(cluster->nodes[2]), 4);
    assert_int_equal(starts(cluster->nodes[2]), 1);
}

static void test_repair_wait__a_member_restarts__is_told_to_start_again(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply replies[] = {
        {.is_complete = true, .passes = 4},
        {.is_running = true, .is_complete = true, .passes = 4},
        {.is_complete = true, .passes = 0},
        {.is_running = true, .is_complete = true, .passes = 0},
        {.is_complete = true, .passes = 1}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], replies, 5);

    assert_int_equal(run(cluster, "repair --wait"), 0);

    assert_int_equal(fake_node_requests(cluster->nodes[2]), 5);
    assert_int_equal(starts(cluster->nodes[2]), 2);
}

static void test_repair_wait__pairs_fail__is_a_failure(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply replies[] = {
        {.is_complete = true},
        {.is_complete = true, .passes = 1, .pairs_total = 16, .pairs_failed = 5}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], replies, 2);

    assert_int_equal(run(cluster, "repair --wait"), 1);

    assert_holds(cluster, "3 of 3 members through: 4 keys repaired, 5 of 48 pairs failed\n");
    ASSERT_LINE(cluster, address(cluster, 2), ": 5 of 16 pairs failed");
}

static void test_repair_wait__a_member_refills__is_waited_for(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply replies[] = {
        {.passes = 0}, {.passes = 1}, {.is_complete = true, .passes = 2, .keys_repaired = 5}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], replies, 3);

    assert_int_equal(run(cluster, "repair --wait"), 0);

    assert_holds(cluster, "3 of 3 members through: 9 keys repaired, ");
}

static void test_repair_wait__a_member_refills_for_ever__is_a_failure(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply replies[] = {{.passes = 0}, {.passes = 1}};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], replies, 2);

    assert_int_equal(run(cluster, "repair --wait --timeout 1"), 1);

    ASSERT_LINE(cluster, address(cluster, 2), ": refilling");
}

static void test_repair_wait__a_member_is_away__the_others_are_waited_for(void **state)
{
    struct cluster *cluster = *state;
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_stop(cluster->nodes[2]);

    assert_int_equal(run(cluster, "repair --wait"), 1);

    assert_holds(cluster, "2 of 3 members through: 4 keys repaired, 0 of 32 pairs failed\n");
    ASSERT_LINE(cluster, "dynamoctl: repair: ", address(cluster, 2));
}

static void test_repair_wait__a_member_never_ends__the_deadline_does(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply stuck = {
        .is_running = true, .is_complete = true, .pairs_done = 4, .pairs_total = 16};
    repairs_at_once(cluster->nodes[0], 0);
    repairs_at_once(cluster->nodes[1], 0);
    fake_node_set_repair(cluster->nodes[2], &stuck, 1);

    assert_int_equal(run(cluster, "repair --wait --timeout 1"), 1);

    assert_holds(cluster, "2 of 3 members through");
    ASSERT_LINE(cluster, "dynamoctl: repair ", address(cluster, 2), ": not finished in time");
}

static void test_repair_wait__on_a_terminal__draws_a_bar(void **state)
{
    struct cluster *cluster = *state;
    const struct message_repair_reply half = {
        .is_running = true, .is_complete = true, .pairs_done = 8, .pairs_total = 16};
    const struct message_repair_reply replies[] = {
        {.is_complete = true}, half, half, {.is_complete = true, .passes = 1}};
    for (unsigned i = 0; i < NODES; i++) {
        fake_node_set_repair(cluster->nodes[i], replies, 4);
    }

    assert_int_equal(run_on_terminal(cluster, "repair", "--wait"), 0);

    assert_holds(cluster, "\r[####################                    ]  50%");
    assert_holds(cluster, "\r[########################################] 100%");
    assert_holds(cluster, "\n3 of 3 members through");
}

static void test_repair_wait__json__is_one_object_at_the_end(void **state)
{
    struct cluster *cluster = *state;
    char expected[2048];
    for (unsigned i = 0; i < 2; i++) {
        repairs_at_once(cluster->nodes[i], i);
    }
    fake_node_stop(cluster->nodes[2]);

    assert_int_equal(run(cluster, "repair --wait --json 2>/dev/null"), 1);

    snprintf(expected, sizeof expected,
             "{\n  \"cluster\": \"000000000000004d\",\n  \"epoch\": %u,\n"
             "  \"partitions\": 8,\n  \"replicas\": 3,\n"
             "  \"finished\": false,\n  \"complete\": true,\n  \"pairs\": 32,\n"
             "  \"pairs_failed\": 0,\n  \"keys_repaired\": 4,\n  \"members\": [\n    {\n"
             "      \"address\": \"%s\",\n      \"id\": \"000000000000000a\",\n"
             "      \"finished\": true,\n      \"complete\": true,\n      \"passes\": 1,\n"
             "      \"pairs_done\": 16,\n      \"pairs_total\": 16,\n"
             "      \"pairs_failed\": 0,\n      \"keys_repaired\": 2\n    },\n",
             (unsigned)cluster->ring.epoch, address(cluster, 0));
    assert_int_equal(strncmp(cluster->output, expected, strlen(expected)), 0);
    snprintf(expected, sizeof expected,
             "    {\n      \"address\": \"%s\",\n      \"id\": \"000000000000000c\",\n"
             "      \"finished\": false,\n      \"error\": \"connect to %s: ",
             address(cluster, 2), address(cluster, 2));
    assert_holds(cluster, expected);
}

static void test_status__a_member_refills__is_reported(void **state)
{
    struct cluster *cluster = *state;
    fake_node_set_statistic(cluster->nodes[0], "complete", 0);
    fake_node_set_statistic(cluster->nodes[1], "complete", 1);

    assert_int_equal(run(cluster, "status"), 0);

    ASSERT_LINE(cluster, "UR ", address(cluster, 0), " refilling");
    ASSERT_LINE(cluster, "UN ", address(cluster, 1));
    ASSERT_LINE(cluster, "UN ", address(cluster, 2)); /* one that says nothing of it */
    assert_int_equal(run(cluster, "status --json"), 0);
    assert_holds(cluster, "\"state\": \"UR\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_start, cluster_stop)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hints__some_are_kept__reported_by_holder_and_owner_and_in_all),
        TEST(test_hints__none_are_kept__says_so),
        TEST(test_hints__a_member_is_silent__named_after_the_others),
        TEST(test_hints__json__has_every_number_exactly),
        TEST(test_hints__another_cluster__is_not_asked),
        TEST(test_repair__all_answer__starts_each_and_does_not_wait),
        TEST(test_repair__a_member_is_away__named),
        TEST(test_repair_wait__all_go_through__sums_up),
        TEST(test_repair_wait__a_pass_runs_already__waits_for_the_next_one),
        TEST(test_repair_wait__a_start_is_answered_idle__is_not_told_twice),
        TEST(test_repair_wait__a_member_restarts__is_told_to_start_again),
        TEST(test_repair_wait__pairs_fail__is_a_failure),
        TEST(test_repair_wait__a_member_refills__is_waited_for),
        TEST(test_repair_wait__a_member_refills_for_ever__is_a_failure),
        TEST(test_repair_wait__a_member_is_away__the_others_are_waited_for),
        TEST(test_repair_wait__a_member_never_ends__the_deadline_does),
        TEST(test_repair_wait__on_a_terminal__draws_a_bar),
        TEST(test_repair_wait__json__is_one_object_at_the_end),
        TEST(test_status__a_member_refills__is_reported),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_ctl_members DYNAMOCTL\n");
        return 2;
    }
    dynamoctl = argv[1];
    return cmocka_run_group_tests_name("ctl_members", tests, NULL, NULL);
}
