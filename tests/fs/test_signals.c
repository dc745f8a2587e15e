/*
 * test_signals.c - which pending signals end a wait.
 *
 * Rules: one that ends the program or that it catches does; what programs get all the time does
 *        not; none does not; of a process that cannot be looked at nobody knows, so any does.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/fuse/signals.h"

/* A child that is stopped, so that what it is sent stays pending. */
static pid_t stopped_child(void)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        /* A shell's background jobs, and nohup, ignore some, and hand that on. */
        (void)signal(SIGINT, SIG_DFL);
        (void)signal(SIGHUP, SIG_DFL);
        (void)signal(SIGTERM, SIG_DFL);
        (void)signal(SIGALRM, SIG_DFL);
        (void)raise(SIGSTOP); /* not before */
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    return child;
}

static void end_child(pid_t child)
{
    int status;

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void test_signals__none_pending__goes_on(void **state)
{
    pid_t child = stopped_child();

    (void)state;
    assert_false(signals_end_a_wait(child));
    end_child(child);
}

static void test_signals__routine_ones__go_on(void **state)
{
    pid_t child = stopped_child();

    (void)state;
    assert_int_equal(kill(child, SIGVTALRM), 0);
    assert_int_equal(kill(child, SIGPROF), 0);
    assert_false(signals_end_a_wait(child));
    end_child(child);
}

static void test_signals__that_end_or_are_caught__end_it(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGALRM, SIGHUP};

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        pid_t child = stopped_child();
        assert_int_equal(kill(child, numbers[i]), 0);
        assert_true(signals_end_a_wait(child));
        end_child(child);
    }
}

static void test_signals__process_that_is_not_to_be_seen__ends_it(void **state)
{
    pid_t child = stopped_child();

    (void)state;
    end_child(child);
    assert_true(signals_end_a_wait(child));
    assert_true(signals_end_a_wait(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals__none_pending__goes_on),
        cmocka_unit_test(test_signals__routine_ones__go_on),
        cmocka_unit_test(test_signals__that_end_or_are_caught__end_it),
        cmocka_unit_test(test_signals__process_that_is_not_to_be_seen__ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
