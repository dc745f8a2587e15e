/*
 * list_compare.h - a listing by live rows alone, where the streams agree.
 */
#ifndef NODE_CORE_LIST_COMPARE_H
#define NODE_CORE_LIST_COMPARE_H

#include "node/core/request.h"

/* R replicas have answered with live rows and marks: what they have in common goes to
 * `ret_list`, owned. False if they have nothing in common. */
bool list_compare(struct request *request, struct message_list_reply *ret_list);

#endif
