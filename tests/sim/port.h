/*
 * port.h - what a client's process has: a clock, sleep, and requests to nodes. Its code runs in
 * a fiber and may block.
 *
 * The shipping client runs on it as it is: pool_sim.c stands in for its sockets.
 */
#ifndef TESTS_SIM_PORT_H
#define TESTS_SIM_PORT_H

#include "tests/sim/fiber.h"
#include "tests/sim/world.h"

struct port {
    struct world *world;
    struct fiber *fiber;
    bool is_dead; /* killed: nothing that it does counts, and it ends without waiting */
    int call;     /* awaited; below 0: none */
    uint64_t wake_us;
    uint64_t dead_looks; /* at the clock */
};

/* The port whose fiber runs now. */
struct port *port_current(void);

/* From outside: goes on with the fiber if what it waits for is there. */
void port_step(struct port *port);
/* From outside: the process dies. Its fiber has returned after this. */
void port_kill(struct port *port);
/* The same of a part of a process that waits for its other parts: goes on once with the fiber.
 * True when it has returned. */
bool port_unwind(struct port *port);

/* For the fiber. A dead one is told that it is very late, and much later each time: no wait is
 * long. */
uint64_t port_now_us(struct port *port);
void port_sleep_until(struct port *port, uint64_t until_us);
/* Gives all others a turn, also when it is dead. */
void port_pass(struct port *port);
/*
 * Sends the request (kept by the caller) and waits. STATUS_OK: *ret_reply is the answer,
 * whatever it says. UNREACHABLE: it was not sent; CLOSED, TIMEOUT: it may have been carried
 * out.
 */
enum status port_ask(struct port *port, int node, const struct message *request,
                     uint64_t deadline_us, struct message *ret_reply);

#endif
