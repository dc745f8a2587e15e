/*
 * mark.h - rare states that a long run of the simulator must have been in, counted.
 *
 * A check proves nothing of a state that no run reaches. So the branch that is a rare state
 * bears a mark, and a soak says which of them it never came by. In the shipping build a mark is
 * nothing, and its condition is not evaluated; `sim_marks` is compiled with -DDYNAMOFS_MARKS.
 *
 * Threads: counted without a lock, for the simulator has one thread.
 */
#ifndef RING_MARK_H
#define RING_MARK_H

#include <stdbool.h>
#include <stdint.h>

/* What each is, for people; in the order of the layers. A mark that cannot be reached is no
 * mark. */
#define MARKS(X)                                                                               \
    X(TRUNCATED_BESIDE_SIBLINGS, "a clock was truncated under three siblings or more")         \
    X(TRUNCATED_OWN_PAIR, "truncation took the pair that the copy was extending")              \
    X(OWN_PAIR_DISTRUSTED, "an own pair from before an unclean start was left, a new opened")  \
    X(SIBLINGS_FULL, "a put was refused, since its key holds as many siblings as it may")      \
    X(NAMED_UNKNOWN, "a sibling was named that the copy has not heard of")                     \
    X(TOMBSTONE_MET_LIVE, "a tombstone was merged with a sibling that outlives it")            \
    X(TOMBSTONES_MET, "two tombstones merged, neither of which knew the other")                \
    X(DIRECTORY_DELETED_OVER_ROW, "a live row came to a directory that is deleted here")       \
    X(COPY_DAMAGED, "a content that cannot be read was met by a write of its key")             \
    X(INTENT_LEFT_ANEW, "an intent was not dropped, since a later put left it anew")           \
    X(HINT_WRITTEN_ANEW, "a hint was not dropped, since it was written anew meanwhile")        \
    X(HINT_MERGED, "a hint was merged with what was kept for its owner before")                \
    X(LEASE_RENEWED_AT_ONCE, "a counter had to wait for a new lease")                          \
    X(LEASE_AHEAD, "a lease was renewed while the counters are ahead of the clock")            \
    X(ASIDE_PUT, "a salvage put aside what is older than the grace time")                      \
    X(ASIDE_DROPPED, "what a salvage had put aside was dropped")                               \
    X(REAP_BESIDE_HINT, "a reap was refused, since a hint is kept for the key")                \
    X(REAP_BESIDE_INTENT, "a reap was refused, since the row is still to be pushed")           \
    X(REAP_ROW_BEFORE_OBJECT, "a row's reap was refused, since its object is still here")      \
    X(REAP_OTHER_TOMBSTONE, "a reap was refused, since the copy is not that tombstone")        \
    X(REAP_REPEATED, "a reap was agreed to by a primary that had dropped its copy already")    \
    X(REAP_YOUNG, "a reap was refused by a member whose clock says that it is young")          \
    X(REAP_BESIDE_REFILL, "a reap was refused by a member that refills")                       \
    X(REAP_BESIDE_LIVE_ROW, "a reap was refused by a member where the row lives")              \
    X(REAP_MEMBER_AWAY, "a reap did not begin, since a member is away")                        \
    X(REAP_CUT_SHORT, "a member was lost between its question and the drop")                   \
    X(REAP_HALF_DROPPED, "a tombstone was dropped at some of its primaries alone")             \
    X(PUT_FALLBACK, "a put was replaced by a fallback")                                        \
    X(PUT_SECOND_FALLBACK, "a put was replaced by a second fallback")                          \
    X(PUT_SUSPECTED_FALLBACK, "a put went to a fallback that is suspected")                    \
    X(PUT_SUSPECT_NEEDED, "a put went to a suspect that its quorum needs")                     \
    X(PUT_PRIMARY_AFTER_ALL, "a put went to a primary whose place a fallback had taken")       \
    X(PUT_AGAIN_DIFFERED, "a push by digest met a replica that lacks something")               \
    X(PUT_ROW_AT_FALLBACK, "a fallback that holds the directory coordinated a put")            \
    X(PUT_HINT_AND_MARKER, "one put left a hint for one owner and a marker for another")       \
    X(PUT_MARKER_UNWRITTEN, "whom a put missed could not be marked, and its intent stays")     \
    X(PUT_ROW_LEFT, "a put ended with W copies of the object and fewer of its row")            \
    X(PUT_MET_FULL_DISK, "a replica's disk was full in the middle of a put")                   \
    X(PUT_DENIED_BY_FULL_DISKS, "a put failed for want of room at the replicas")               \
    X(PUT_STORED_LATE, "a put ended before its own disk had answered")                         \
    X(PUT_BESIDE_RING, "a ring was taken up while a put was in flight")                        \
    X(PUT_READ_NOT_STORED,                                                                     \
      "what was read before a put could not be written, and the put failed for that")          \
    X(PUT_AGAIN_BY_NEW_RING, "a put's copies were refused by another ring, and sent anew")     \
    X(NAMED_AT_FALLBACK, "a sibling was superseded by name at a fallback")                     \
    X(DELETED_NOTHING, "what was deleted had never been there")                                \
    X(INTENT_WITHOUT_OBJECT, "an intent was retried with its object gone")                     \
    X(INTENT_IN_FLIGHT, "a scan of intents met one whose put is under way")                    \
    X(FORWARD_TO_SECOND, "a put was forwarded to a second primary")                            \
    X(FORWARD_PUT_HERE, "a put that no primary could take was coordinated by a fallback")      \
    X(FORWARD_GET_HERE, "a get was answered by a fallback")                                    \
    X(FORWARD_LIST_HERE, "a listing was answered by a fallback")                               \
    X(HINT_OWNER_LEFT, "a hint was handed over whose owner had left the ring")                 \
    X(HINT_NOT_TAKEN, "a hint's owner was lost while the hint was on its way")                 \
    X(MARKER_OF_ROW, "a marker for who holds just the row was pushed as a put")                \
    X(MARKER_WITHOUT_COPY, "a marker was left of a copy that is gone")                         \
    X(READ_AGAIN_BY_NEW_RING, "a read was refused by another ring, and asked anew")            \
    X(GET_THREE_STATES, "a get met three different states of its key")                         \
    X(GET_HINT_COUNTED, "a get counted what a fallback keeps for another")                     \
    X(GET_HINT_LATE, "a get did not wait any longer for a fallback")                           \
    X(GET_COPY_LOST, "a replica told its digest and was lost before its copy")                 \
    X(GET_OWN_WITHHELD, "a get was coordinated by a node that refills")                        \
    X(READ_REPAIR_OWN, "a read repaired the coordinator's own copy")                           \
    X(READ_REPAIR_LIVE_OVER_DEAD, "a read repair brought a delete to a live copy")             \
    X(LIST_REPAIR_ROW, "a listing repaired a row at a node that lacks the object")             \
    X(LIST_REPAIR_OBJECT, "a listing had an object repaired together with its row")            \
    X(LIST_FULL, "a merged listing was full, and goes on at the name where it was cut")        \
    X(LIST_CUT_AT_MARK, "a listing by digests was cut, and goes on at the name of a mark")     \
    X(LIST_DIFFERED, "a listing by digests had to ask for all rows")                           \
    X(LIST_AGREED_PARTLY, "a listing by digests ended at the last mark in common")             \
    X(LIST_OVERTAKEN, "marks came after the others had been asked for all rows")               \
    X(LIST_OWN_WITHHELD, "a listing was coordinated by a node that refills")                   \
    X(REVIVED, "a deleted directory was revived for a live row")                               \
    X(REVIVE_ROW_GONE, "a directory stayed deleted, since the quorum knew the row as dead")    \
    X(REVIVE_LIVES, "a directory that is deleted here lives, as the quorum knows")             \
    X(PAIR_VANISHED, "a difference of two trees was gone when it was looked at again")         \
    X(KEY_ROW_WAITS, "a row was not repaired, since its object may be where none can ask")     \
    X(KEY_ROW_TOOK_OBJECT, "a row was repaired by what its object says, one replica away")     \
    X(SCRUB_PUSHED_ROW, "a scrub pushed a row whose directory is elsewhere")                   \
    X(SALVAGE_BESIDE_REFILL, "a database was salvaged on a node that refills already")         \
    X(SALVAGE_BESIDE_PUT, "a database was salvaged while puts were under way")                 \
    X(SALVAGE_BESIDE_HINTS, "a database was salvaged while hints are kept beside it")          \
    X(JOIN_WAITS, "the place of a lost disk was not given away yet")                           \
    X(JOIN_BESIDE_PUT, "a place was given away while puts were under way")                     \
    X(VOUCHED, "all others vouched for a data directory after a start")                        \
    X(NOT_VOUCHED, "a start ended untrusted, since one that answered could not vouch")         \
    X(STALE_RING, "a request placed by another ring was refused")                              \
    X(ANSWER_LATE, "an answer came when its request was gone")                                 \
    X(DIED_BEFORE_W, "a coordinator died between its own copy and W of them")                  \
    X(DIED_BETWEEN_W_AND_ROW, "a coordinator died between W copies and the row's quorum")      \
    X(DIED_MARKING, "a coordinator died while it marked whom its put had missed")              \
    X(DIED_REAPING, "the one who proposed a reap died in the middle of it")                    \
    X(DIED_REFILLING, "a node that refills died")                                              \
    X(DIED_SALVAGING, "a node died in the middle of a salvage")                                \
    X(DIED_HANDING_OVER, "a node died while a hint was on its way to its owner")               \
    X(NEWER_LOG_SURVIVED, "a power cut took from the older log, and the newer one kept more")  \
    X(DARK_AFTER_SYNC, "the power failed everywhere right after a synced put")                 \
    X(SALVAGE_GAVE_OLDER, "a salvage gave back an older value")                                \
    X(SALVAGED_OLDER_REPLACED, "what a salvage had given back was replaced later")             \
    X(OLD_COPY_DISTRUSTED, "a copy that was put back was told by others, and not trusted")     \
    X(SOURCE_GAVE, "a source handed over what its primaries lacked")                           \
    X(SOURCE_GAVE_HINT, "a source handed over what it had kept for another")                   \
    X(SOURCE_KEPT_BACK, "a source kept back what may have been deleted and reaped")            \
    X(SOURCE_WAITED, "a source waits for members that must vouch, or take what it holds")      \
    X(PUT_PLACED_BY_OTHER_RING, "a replica refused a put that was placed by another ring")     \
    X(FORWARD_READ_TO_SECOND, "a get or a listing was forwarded to a second primary")          \
    X(HINTS_HEALED_AT_START, "a database of hints was salvaged at a start")                    \
    X(HINTS_DAMAGED_UNJUDGED, "hints that nobody had judged yet were damaged anew")            \
    X(HINT_UNJUDGED, "a hint was not used, since nobody had judged its age yet")               \
    X(HINT_TOO_OLD, "a hint that a salvage gave back was dropped, since it is too old")        \
    X(FORGOT_PUT,                                                                              \
      "a disk forgot a put that its node had just acknowledged, and was asked again")

#define MARK_ENUM(name, text) MARK_##name,
enum mark { MARKS(MARK_ENUM) MARK_COUNT };
#undef MARK_ENUM

#ifdef DYNAMOFS_MARKS
extern uint64_t mark_counts[MARK_COUNT];
#define mark_if(condition, which) ((void)((condition) ? mark_counts[which]++ : 0))
#else
#define mark_if(condition, which) ((void)(false && (condition) && (which) == MARK_COUNT))
#endif

/* It was reached. */
#define mark(which) mark_if(true, which)

/* Its name and what it is; NULL from MARK_COUNT on. Of the build with marks alone. */
const char *mark_name(unsigned which);
const char *mark_text(unsigned which);

#endif
