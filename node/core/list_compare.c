/*
 * list_compare.c - a listing by live rows alone, where the streams agree.
 *
 * Tombstones are needed only to hide a live row at a replica that has not heard of a delete. So
 * R replicas are asked for live rows, and for marks: digests of all their rows up to some names
 * (message.h). Up to the last mark that all have in common they hold the same rows, and what is
 * live at one is the truth: the merge of equals. Where nothing is in common they are asked
 * again, for all rows from there on, which are merged and repaired (list.c); the
 * page after that is tried by marks anew. A directory that holds a hundred thousand tombstones
 * is listed by a few scans, and one row that differs costs a page.
 */
#include "node/core/list_compare.h"

#include <assert.h>
#include <string.h>

#include "node/core/request.h"
#include "ring/mark.h"
#include "ring/planted.h"

/* The end of all names comes last. */
static int mark_compare(const struct list_mark *a, const struct list_mark *b)
{
    if (!a->name || !b->name) {
        return (a->name ? 0 : 1) - (b->name ? 0 : 1);
    }
    return slice_compare(blob_slice(a->name), blob_slice(b->name));
}

/* How many marks of `a` there are up to the last one that `b` has too. */
static uint16_t marks_in_common(const struct message_list_reply *a,
                                const struct message_list_reply *b)
{
    uint16_t common = 0;
    uint16_t i = 0;
    uint16_t j = 0;
    while (i < a->mark_count && j < b->mark_count) {
        int order = mark_compare(&a->marks[i], &b->marks[j]);
        if (order == 0 && memcmp(a->marks[i].digest, b->marks[j].digest, DIGEST_SIZE) != 0) {
            break; /* Each tells of all before it, so none behind it is the same. */
        }
        common = order == 0 ? (uint16_t)(i + 1) : common;
        i = (uint16_t)(i + (order <= 0));
        j = (uint16_t)(j + (order >= 0));
    }
    return common;
}

/* The first stream, and how many of its marks all have in common. */
static struct message_list_reply *find_common(struct request *request, uint16_t *ret_common)
{
    struct message_list_reply *first = NULL;
    for (uint8_t i = 0; i < request->leg_count; i++) {
        struct leg *leg = &request->leg[i];
        if (leg->state != LEG_DONE) {
            continue;
        }
        if (!first) {
            first = &leg->list;
            *ret_common = first->mark_count;
            continue;
        }
        uint16_t common = marks_in_common(first, &leg->list);
        *ret_common = common < *ret_common ? common : *ret_common;
    }
    assert(first);
    return first;
}

/* Drops the rows behind the mark. */
static void cut_rows(struct message_list_reply *list, const struct list_mark *mark)
{
    while (mark->name && list->row_count > 0 &&
           slice_compare(blob_slice(list->rows[list->row_count - 1].name),
                         blob_slice(mark->name)) > 0) {
        row_release(&list->rows[--list->row_count]);
    }
    if (planted(PLANTED_LIST_DROPS_LAST) && list->row_count > 0) {
        row_release(&list->rows[--list->row_count]);
    }
}

bool list_compare(struct request *request, struct message_list_reply *ret_list)
{
    assert(request->leg_count > 0 && request->leg_count <= LEGS_MAX);
    uint16_t common = 0;
    struct message_list_reply *first = find_common(request, &common);
    if (common == 0) {
        return false;
    }
    mark_if(common < first->mark_count, MARK_LIST_AGREED_PARTLY);
    const struct list_mark *mark = &first->marks[common - 1];
    mark_if(mark->name, MARK_LIST_CUT_AT_MARK);
    cut_rows(first, mark);
    *ret_list = (struct message_list_reply){.rows = first->rows,
                                            .row_count = first->row_count,
                                            .more = mark->name,
                                            .resume = blob_ref(mark->name)};
    first->rows = NULL;
    first->row_count = 0;
    return true;
}
