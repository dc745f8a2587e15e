/*
 * ctl_complain.c - what went wrong, on standard error, and the exit code that says so.
 */
#include <stdio.h>

#include "node/dynamoctl/ctl.h"

void ctl_complain(const struct ctl *ctl, const char *subject, const char *what)
{
    fprintf(stderr, "dynamoctl: %s", ctl->verb->name);
    if (subject) {
        fputc(' ', stderr);
        ctl_print_name(stderr, slice_of_string(subject));
    }
    fputs(": ", stderr);
    /* It may quote what a node said, or a file's name. */
    ctl_print_name(stderr, slice_of_string(what));
    fputc('\n', stderr);
}

int ctl_fail(const struct ctl *ctl, const char *subject, enum status status)
{
    bool is_open = ctl->verb->is_write && kv_status_is_indeterminate(status);
    char text[128];
    snprintf(text, sizeof text, "%s%s", status_text(status),
             is_open ? " (indeterminate: it may yet appear)" : "");
    ctl_complain(ctl, subject, text);
    if (is_open) {
        return CTL_INDETERMINATE;
    }
    return status == STATUS_NOT_FOUND ? CTL_NOT_FOUND : CTL_FAILURE;
}
