/*
 * node_fixture.h - storage nodes for tests: on a thread, or as a dynamod of their own.
 *
 * Everything is on loopback, on ports that the kernel chose, in temporary directories.
 */
#ifndef TESTS_SERVER_NODE_FIXTURE_H
#define TESTS_SERVER_NODE_FIXTURE_H

#include <pthread.h>
#include <sys/types.h>

#include "node/server/server.h"

enum { FIXTURE_PATH_SIZE = 128 };

/* A new empty directory, and its end with all that is in it. */
void fixture_make_directory(char ret_path[FIXTURE_PATH_SIZE]);
void fixture_remove_directory(const char *path);

/* For cmocka: one such directory for each test. */
extern char fixture_directory[FIXTURE_PATH_SIZE];
int fixture_setup(void **state);
int fixture_teardown(void **state);

/*
 * A free port. It stays reserved by the socket, which is bound but does not listen, so that no
 * other process is given it; a node can listen there all the same. Close the socket at the end.
 */
int fixture_reserve_port(char ret_address[ADDRESS_SIZE]);

/* A node on a thread of this process. */
struct node_thread {
    struct server *server;
    pthread_t thread;
    enum status status; /* of server_run */
    struct error error;
    char address[ADDRESS_SIZE];
};

/* Fails the test if it does not start. */
void node_start(struct node_thread *node, const struct server_options *options);
/* On `directory`, alone, on a port of the kernel's choice; waits until it takes requests. */
void node_start_alone(struct node_thread *node, const char *directory);
/* Waits until it has ended by itself: the status of server_run. */
enum status node_wait(struct node_thread *node);
/* Stops it, which must succeed. */
void node_stop(struct node_thread *node);

/* A dynamod: the program that the environment variable DYNAMOD names. */
struct node_process {
    pid_t pid;
    int output; /* its stdout */
    int errors; /* its stderr */
    char address[ADDRESS_SIZE];
};

enum { PROCESS_ARGUMENTS_MAX = 16 };

/* Starts it with these arguments (ending with NULL). */
void process_start(struct node_process *process, const char *const *arguments);
/* The same, and waits until it is ready. `join` may be NULL. */
void process_start_node(struct node_process *process, const char *directory, const char *listen,
                        const char *join);
void process_signal(struct node_process *process, int number);
/* Its exit code, or minus the signal that ended it. */
int process_wait(struct node_process *process);
/* Waits; returns the exit code and what it wrote to stderr (free it). */
int process_wait_errors(struct node_process *process, char **ret_errors);

#endif
