#!/bin/bash
# table.sh - what two shells see that work on two mounts of one cluster: the table of docs/design.md, The mount, line by line.
# usage: tests/mount/table.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/two_mounts.sh"

test_open_on_both_close_on_both__two_siblings() {
    mkdir "$a/one"
    conflict one/f
    both_show one f f~v1 f~v2
    both_hold one/f~v1 "from a"
    both_hold one/f~v2 "from b"
    both_hold one/f "from b"
    bad "No such file" cat "$a/one/f~v3"
    for mount in "$a" "$b"; do
        equal 2 "$(cd "$mount" && getfattr --only-values -n user.dynamofs.siblings one/f)"
    done
}

test_write_to_the_name__resolves_on_both() {
    mkdir "$a/resolve"
    conflict resolve/f
    both_show resolve f f~v1 f~v2
    cat "$a/resolve/f~v1" "$a/resolve/f~v2" > "$work/merged"
    cp "$work/merged" "$a/resolve/f"
    both_show resolve f
    both_hold resolve/f "$(printf 'from a\nfrom b')"
    bad "" cat "$b/resolve/f~v1"
    bad "" cat "$a/resolve/f~v1"
}

test_late_arrival__stays_as_a_sibling() {
    mkdir "$a/late"
    echo base > "$a/late/f"
    exec 3> "$a/late/f"
    echo late > "$b/late/f"
    echo mine >&3
    exec 3>&-
    both_show late f f~v1 f~v2
    both_hold late/f~v1 late
    both_hold late/f~v2 mine
}

# Both have shown f~v1 and f~v2 of a conflict that b then settles: a mount that has not seen
# that gives the next two versions numbers that it has not used yet.
test_late_arrival_while_resolving__stays_as_a_sibling() {
    mkdir "$a/later"
    conflict later/f
    both_show later f f~v1 f~v2
    exec 3> "$a/later/f"
    echo late > "$b/later/f"
    echo merged >&3
    exec 3>&-
    shows "$a/later" f f~v3 f~v4
    for mount in "$a" "$b"; do
        equal 3 "$(ls "$mount/later" | wc -l)" "names"
        equal "late merged" "$(cat "$mount"/later/f~v* | paste -s -d ' ')"
        holds "$mount/later/f" merged
    done
    rm "$a/later/f~v3"
    both_show later f
    both_hold later/f merged
}

test_write_to_a_sibling__supersedes_that_one_only() {
    mkdir "$a/edit"
    conflict edit/f
    both_show edit f f~v1 f~v2
    echo "edited a" > "$b/edit/f~v1"
    for mount in "$a" "$b"; do
        equal 3 "$(ls "$mount/edit" | wc -l)" "names"
        equal "edited a from b" "$(cat "$mount"/edit/f~v* | sort | paste -s -d ' ')"
        holds "$mount/edit/f" "edited a"
    done
}

test_rm_of_a_sibling__drops_that_one_only() {
    mkdir "$a/drop"
    conflict drop/f
    both_show drop f f~v1 f~v2
    rm "$a/drop/f~v1"
    both_show drop f
    both_hold drop/f "from b"
}

test_mv_of_a_sibling_to_the_name__resolves_to_it() {
    mkdir "$a/mv"
    conflict mv/f
    both_show mv f f~v1 f~v2
    mv "$b/mv/f~v1" "$b/mv/f"
    both_show mv f
    both_hold mv/f "from a"
}

test_cp_of_a_sibling_to_the_name__resolves_to_it() {
    mkdir "$a/cp"
    conflict cp/f
    both_show cp f f~v1 f~v2
    cp "$a/cp/f~v1" "$a/cp/f"
    both_show cp f
    both_hold cp/f "from a"
}

test_mv_of_a_sibling_elsewhere__becomes_that_file() {
    mkdir "$a/away"
    conflict away/f
    both_show away f f~v1 f~v2
    mv "$a/away/f~v1" "$a/away/other"
    both_show away f other
    both_hold away/f "from b"
    both_hold away/other "from a"
}

test_mv_of_another_file_over_the_name__resolves() {
    mkdir "$a/over"
    conflict over/f
    both_show over f f~v1 f~v2
    echo chosen > "$b/over/new"
    mv "$b/over/new" "$b/over/f"
    both_show over f
    both_hold over/f chosen
}

test_rm_of_the_name__drops_all_that_is_shown() {
    mkdir "$a/rm"
    conflict rm/f
    both_show rm f f~v1 f~v2
    rm "$a/rm/f"
    both_show rm
    bad "" cat "$b/rm/f"
}

test_rm_rf__drops_the_siblings_too() {
    mkdir "$a/gone"
    conflict gone/f
    both_show gone f f~v1 f~v2
    rm -rf "$b/gone"
    [ ! -e "$b/gone" ] || fail "it is still on b"
    wait_until "$deadline" test ! -e "$a/gone" || fail "it is still on a"
}

test_delete_against_write__the_write_stays() {
    mkdir "$a/delete"
    echo base > "$a/delete/f"
    holds "$b/delete/f" base
    exec 3> "$b/delete/f"
    rm "$a/delete/f"
    echo written >&3
    exec 3>&-
    both_show delete f
    both_hold delete/f written
}

test_file_against_directory__the_directory_keeps_the_name() {
    mkdir "$a/kinds"
    exec 3> "$a/kinds/x"
    mkdir "$b/kinds/x"
    echo "a file" >&3
    exec 3>&-
    both_show kinds x x~v1
    both_hold kinds/x~v1 "a file"
    echo inside > "$b/kinds/x/inside"
    wait_until "$deadline" test -d "$a/kinds/x" || fail "it is no directory on a"
    both_hold kinds/x/inside inside
    rm "$b/kinds/x~v1"
    both_show kinds x
}

test_two_mkdir_of_one_name__one_directory() {
    local i first second
    mkdir "$a/twice"
    for i in $(seq 10); do
        mkdir "$a/twice/$i" 2> /dev/null &
        first=$!
        mkdir "$b/twice/$i" 2> /dev/null &
        second=$!
        # One or both may be told that they made it; never a third name.
        wait "$first" && : || wait "$second" || fail "neither mkdir of $i succeeded"
        wait "$second" || :
        echo a > "$a/twice/$i/a"
        echo b > "$b/twice/$i/b"
    done
    equal 10 "$(ls "$a/twice" | wc -l)" "directories"
    equal 10 "$(ls "$b/twice" | wc -l)" "directories"
    both_show twice/7 a b
}

test_rmdir_against_create__the_file_stays() {
    mkdir -p "$a/keep/d"
    exec 3> "$b/keep/d/f"
    rmdir "$a/keep/d"
    echo kept >&3
    exec 3>&-
    wait_until "$deadline" test -d "$a/keep/d" || fail "the directory did not come back"
    both_show keep/d f
    both_hold keep/d/f kept
}

test_numbers__once_shown_stay_with_their_version() {
    mkdir "$a/numbers"
    conflict numbers/f
    both_show numbers f f~v1 f~v2
    exec 3> "$b/numbers/f~v2"
    exec 4> "$a/numbers/f~v2"
    echo "second by a" >&4
    exec 4>&-
    echo "second by b" >&3
    exec 3>&-
    equal "from a" "$(cat "$a/numbers/f~v1")"
    equal "from a" "$(cat "$b/numbers/f~v1")"
    rm "$a/numbers/f~v1"
    equal "second by a second by b" "$(cat "$a"/numbers/f~v* | sort | paste -s -d ' ')"
    # The number of a version that is gone is not given to another while the conflict lasts.
    [ ! -e "$a/numbers/f~v1" ] || fail "f~v1 is there again"
}

test_hidden_versions__are_not_listed_on_any_mount() {
    mkdir -p "$a/hidden/below"
    conflict hidden/f
    conflict hidden/below/f
    good setfattr -n user.dynamofs.show_siblings -v 0 "$a/hidden"
    both_show hidden below f
    both_show hidden/below f
    both_hold hidden/below/f "from b"
    both_hold hidden/below/f~v1 "from a"
    equal 2 "$(cd "$b" && getfattr --only-values -n user.dynamofs.siblings hidden/below/f)"
    good setfattr -n user.dynamofs.show_siblings -v 1 "$b/hidden/below"
    both_show hidden/below f f~v1 f~v2
    good rm -r "$a/hidden"
    [ ! -e "$a/hidden" ] || fail "it is still there"
}

test_real_file_with_a_siblings_name__keeps_it() {
    mkdir "$a/real"
    echo real > "$a/real/f~v1"
    conflict real/f
    both_show real f f~v1 f~v2 f~v3
    both_hold real/f~v1 real
    both_hold real/f~v2 "from a"
    both_hold real/f~v3 "from b"
}

test_close_to_open__what_one_closed_the_other_sees() {
    local i text
    mkdir "$a/rounds"
    for i in $(seq 200); do
        # Of another length each time, so that a stale size shows too.
        text=$(printf '%*d' $((1 + i * 7 % 50)) "$i")
        if [ $((i % 2)) -eq 0 ]; then
            printf '%s' "$text" > "$a/rounds/f"
            equal "$text" "$(cat "$b/rounds/f")" "round $i on b"
        else
            printf '%s' "$text" > "$b/rounds/f"
            equal "$text" "$(cat "$a/rounds/f")" "round $i on a"
        fi
    done
    both_show rounds f
}

test_close_to_open__a_new_name_is_listed_by_the_other() {
    local i
    mkdir "$a/listed"
    for i in $(seq 50); do
        echo "$i" > "$a/listed/$i"
        ls "$b/listed" | grep -qx "$i" || fail "$i is not listed on b"
        holds "$b/listed/$i" "$i"
    done
}

test_close_to_open__renamed_over_is_seen_by_the_other() {
    local i
    mkdir "$a/renamed"
    echo 0 > "$a/renamed/f"
    for i in $(seq 50); do
        echo "$i" > "$a/renamed/temporary"
        mv "$a/renamed/temporary" "$a/renamed/f"
        holds "$b/renamed/f" "$i"
    done
    both_show renamed f
}

# What the kernel kept of a directory is asked for again after a second.
test_directory_times__change_with_its_names_on_both() {
    good timeout 120 python3 - "$a" "$b" << 'PYTHON'
import os, sys, time

a, b = sys.argv[1:]

def later(what, act):
    time.sleep(1.1)
    before = [os.stat(f"{mount}/times") for mount in (a, b)]
    act()
    end = time.monotonic() + 60
    for mount, old in zip((a, b), before):
        while True:
            now = os.stat(f"{mount}/times")
            if now.st_mtime_ns > old.st_mtime_ns and now.st_ctime_ns > old.st_ctime_ns:
                break
            if time.monotonic() > end:
                sys.exit(f"{what}: the times of the directory stand still on {mount}")
            time.sleep(0.1)

os.mkdir(f"{a}/times")
later("create", lambda: open(f"{a}/times/f", "w").close())
later("rename", lambda: os.rename(f"{a}/times/f", f"{a}/times/g"))
later("mkdir", lambda: os.mkdir(f"{b}/times/d"))
later("rmdir", lambda: os.rmdir(f"{b}/times/d"))
later("unlink", lambda: os.unlink(f"{b}/times/g"))
PYTHON
}

test_directory_times__set_by_a_copy__stay_on_both() {
    mkdir -p "$work/copied/d"
    echo x > "$work/copied/d/f"
    touch -d 2001-02-03 "$work/copied/d" "$work/copied/d/f" "$work/copied"
    good cp -a "$work/copied" "$a/copied"
    tar -C "$work" -cf - copied | tar -C "$b" --transform s/copied/untarred/ -xf -
    sleep 1.1
    for mount in "$a" "$b"; do
        for name in copied copied/d copied/d/f untarred untarred/d; do
            equal 2001-02-03 "$(stat -c %y "$mount/$name" | cut -d ' ' -f 1)" "$mount/$name"
        done
    done
}

# As a C library with a small buffer reads a directory that it removes.
test_names_removed_as_they_are_read__none_is_left() {
    good timeout 200 python3 - "$a" "$b" << 'PYTHON'
import ctypes, os, platform, struct, sys

a, b = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
getdents = {"x86_64": 217, "aarch64": 61}[platform.machine()]

def names_in(file, size):
    buffer = ctypes.create_string_buffer(size)
    filled = libc.syscall(getdents, file, buffer, size)
    if filled < 0:
        raise OSError(ctypes.get_errno(), "getdents64")
    offset, names = 0, []
    while offset < filled:
        length = struct.unpack_from("<QqH", buffer.raw, offset)[2]
        names.append(buffer.raw[offset + 19 : offset + length].split(b"\0")[0].decode())
        offset += length
    return [name for name in names if name not in (".", "..")]

for size, remover in ((300, a), (2048, a), (2048, b)):
    os.mkdir(f"{a}/read")
    for i in range(700):
        open(f"{a}/read/{i:04}" + "n" * 120, "w").close()
    file = os.open(f"{a}/read", os.O_RDONLY)
    seen = []
    while names := names_in(file, size):
        seen += names
        for name in names:
            os.unlink(f"{remover}/read/{name}")
    os.close(file)
    if len(seen) != 700 or len(set(seen)) != 700 or os.listdir(f"{b}/read"):
        sys.exit(f"{len(set(seen))} names, {len(seen)} times, with buffers of {size}")
    os.rmdir(f"{b}/read")
PYTHON
}

test_a_name_that_is_replaced__can_always_be_opened() {
    local reader
    for reader in "$a" "$b"; do
        mkdir -p "$a/replaced"
        "$(dirname "$0")/replace.py" "$a/replaced" "$reader/replaced" 6 200 > "$work/replaced" ||
            fail "$(head -n 3 "$work/replaced")"
    done
}

run_tests "$0"
