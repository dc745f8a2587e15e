#!/bin/bash
# conflicts.sh - conflicts of all that a name can be, on two mounts of one cluster.
# usage: tests/mount/conflicts.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/two_mounts.sh"

test_symlink_against_file__both_are_there() {
    mkdir "$a/link"
    exec 3> "$a/link/x"
    ln -s target "$b/link/x"
    echo "a file" >&3
    exec 3>&-
    both_show link x x~v1 x~v2
    for mount in "$a" "$b"; do
        equal target "$(readlink "$mount/link/x~v1")"
        holds "$mount/link/x~v2" "a file"
        holds "$mount/link/x" "a file"
    done
    rm "$b/link/x~v2"
    wait_until "$deadline" test -L "$a/link/x" || fail "x is not the link on a"
    both_show link x
    equal target "$(readlink "$a/link/x")"
}

# What was made under the new name goes on there; what was written to the old one stays there.
test_rename_against_write__nothing_is_lost() {
    mkdir "$a/moved"
    echo base > "$a/moved/f"
    holds "$b/moved/f" base
    exec 3> "$b/moved/f"
    mv "$a/moved/f" "$a/moved/g"
    echo written >&3
    exec 3>&-
    both_show moved f g
    both_hold moved/f written
    both_hold moved/g base
}

# Two names moved onto one, each without the other's knowing.
test_rename_against_rename__both_are_there() {
    mkdir "$a/onto"
    echo one > "$a/onto/one"
    echo two > "$a/onto/two"
    holds "$b/onto/two" two
    exec 3> "$b/onto/three"
    mv "$a/onto/one" "$a/onto/x"
    exec 3>&-
    # b still believes that there is no x, for as long as a name that is not there is believed.
    mv "$b/onto/two" "$b/onto/x"
    wait_until "$deadline" test -e "$a/onto/x" || fail "x is gone"
    case $(ls "$a/onto" | paste -s -d ' ') in
    "three x") both_hold onto/x two ;; # b had seen a's
    "three x x~v1 x~v2")
        both_hold onto/x~v1 one
        both_hold onto/x~v2 two
        ;;
    *) fail "names: $(ls "$a/onto" | paste -s -d ' ')" ;;
    esac
}

test_ten_siblings_at_once__all_are_there_and_one_write_resolves() {
    local i
    mkdir "$a/ten"
    for i in $(seq 10); do
        "$dynamoctl" --cluster "$cluster" put ten/f - <<< "by $i" > /dev/null || fail "cannot put $i"
    done
    equal 11 "$(ls "$a/ten" | wc -l)" "names"
    equal "$(seq 10 | sed 's/^/by /' | sort | paste -s -d ' ')" \
        "$(cat "$b"/ten/f~v* | sort | paste -s -d ' ')"
    cat "$a"/ten/f~v* > "$work/ten"
    cp "$work/ten" "$a/ten/f"
    both_show ten f
    equal 10 "$(wc -l < "$b/ten/f")" "lines"
}

# Each sibling has its own blocks, and what they share stays when one is dropped.
test_siblings_of_a_large_file__one_is_dropped__the_other_is_whole() {
    mkdir "$a/large"
    good dd if=/dev/urandom of="$work/base" bs=256K count=8 status=none
    good cp "$work/base" "$a/large/f"
    good cmp "$work/base" "$b/large/f"
    for i in 1 2; do
        cp "$work/base" "$work/by$i"
        good dd if=/dev/urandom of="$work/by$i" bs=256K seek=$i count=1 conv=notrunc status=none
    done
    exec 3<> "$a/large/f"
    exec 4<> "$b/large/f"
    dd if="$work/by1" bs=256K skip=1 seek=1 count=1 conv=notrunc status=none >&3
    dd if="$work/by2" bs=256K skip=2 seek=2 count=1 conv=notrunc status=none >&4
    exec 3>&-
    exec 4>&-
    both_show large f f~v1 f~v2
    for mount in "$a" "$b"; do
        good cmp "$work/by1" "$mount/large/f~v1"
        good cmp "$work/by2" "$mount/large/f~v2"
    done
    rm "$b/large/f~v1"
    both_show large f
    good cmp "$work/by2" "$a/large/f"
}

# rm -r drops what it showed, and what comes meanwhile stays, with its directory. The late writer
# is a process of its own: each child of this shell would put the file when it ends.
test_siblings_in_a_directory_that_is_removed__go_with_it() {
    local writer
    mkdir -p "$a/tree/below"
    conflict tree/f
    conflict tree/below/f
    both_show tree below f f~v1 f~v2
    mkfifo "$work/go"
    python3 -c '
import sys
with open(sys.argv[1], "w") as file:
    print("open", flush=True)
    sys.stdin.readline()
    file.write("late")' "$b/tree/below/late" < "$work/go" > "$work/said" &
    writer=$!
    exec 5> "$work/go"
    wait_until "$deadline" test -s "$work/said" || fail "the late writer does not open its file"
    good rm -r "$a/tree"
    [ ! -e "$a/tree" ] || fail "it is still there: $(ls -R "$a/tree")"
    exec 5>&-
    wait "$writer" || fail "the late writer failed"
    wait_until "$deadline" test -e "$a/tree/below/late" || fail "what came late is gone"
    both_show tree below
    both_show tree/below late
    both_hold tree/below/late late
}

test_delete_of_a_sibling_against_write_to_it__the_write_stays() {
    mkdir "$a/dropped"
    conflict dropped/f
    both_show dropped f f~v1 f~v2
    exec 3> "$b/dropped/f~v1"
    rm "$a/dropped/f~v1"
    echo anew >&3
    exec 3>&-
    wait_until "$deadline" test -e "$a/dropped/f~v2" || fail "the write is gone"
    equal "anew from b" "$(cat "$a"/dropped/f~v* | sort | paste -s -d ' ')"
}

run_tests "$0"
