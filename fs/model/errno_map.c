/*
 * errno_map.c - the one place where a status of the cluster becomes an errno.
 */
#include "fs/model/errno_map.h"

#include <errno.h>

int errno_of_status(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return 0;
    case STATUS_NOT_FOUND:
        return ENOENT;
    case STATUS_TIMEOUT:
        return ETIMEDOUT;
    case STATUS_INTERRUPTED:
        return EINTR;
    case STATUS_BUSY:
        return EBUSY;
    case STATUS_TOO_LARGE:
        return EFBIG;
    case STATUS_BAD_KEY:
        return EINVAL;
    case STATUS_NO_MEMORY:
        return ENOMEM;
    case STATUS_NO_SPACE:
        return ENOSPC;
    case STATUS_REFUSED:
    case STATUS_DENIED:
        return EACCES;
    case STATUS_TOO_MANY_VERSIONS:
        return EDQUOT;
    case STATUS_UNKNOWN_VERSION:
        return ESTALE;
    /* Tools know what EIO means; EHOSTDOWN and its like surprise them. */
    case STATUS_NO_QUORUM:
    case STATUS_CORRUPT:
    case STATUS_BAD_MESSAGE:
    case STATUS_STALE_RING:
    case STATUS_IO:
    case STATUS_CLOSED:
    case STATUS_UNREACHABLE:
    case STATUS_BAD_VERSION:
    case STATUS_NOT_READY:
    case STATUS_COUNT:
        return EIO;
    }
    return EIO;
}

int errno_of_key(enum status status)
{
    return status == STATUS_BAD_KEY ? ENAMETOOLONG : errno_of_status(status);
}
