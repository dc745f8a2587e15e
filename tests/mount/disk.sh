#!/bin/bash
# disk.sh - a mount with a node of its own on a disk that is full, or has a bad block.
# usage: tests/mount/disk.sh BUILD_DIR
#
# The full disk is a small tmpfs.

. "$(dirname "$0")/lib.sh"

mkdir "$work/small"

# fill MOUNT - files of 60000 bytes that do not compress, until one is refused; prints how many.
fill() {
    python3 - "$1" << 'PYTHON'
import errno, os, sys

count = 0
try:
    while True:
        with open(f"{sys.argv[1]}/f{count}", "wb") as file:
            file.write(os.urandom(60000))
        count += 1
except OSError as error:
    assert error.errno == errno.ENOSPC, error
print(count)
PYTHON
}

can_fill_again() {
    local count
    count=$(fill "$work/full") && [ "$count" -gt 50 ]
}

test_full_disk__is_read_emptied_and_filled_again() {
    local count i round
    good mount -t tmpfs -o size=60m tmpfs "$work/small"
    for round in 1 2; do
        mount_start full --data "$work/small/data" --listen 127.0.0.1:0
        wait_until 60 can_fill_again || fail "no room in round $round"
        mount_stop full
        mount_start full --data "$work/small/data" --listen 127.0.0.1:0
        count=$(ls "$work/full" | wc -l)
        [ "$count" -gt 50 ] || fail "only $count files in round $round"
        for ((i = 0; i < 50; i++)); do
            equal 60000 "$(wc -c < "$work/full/f$i")" "bytes of f$i"
        done
        good find "$work/full" -type f -delete
        shows "$work/full"
        mount_stop full
    done
    good umount "$work/small"
}

test_full_disk__filled_by_others__starts_and_is_emptied() {
    good mount -t tmpfs -o size=60m tmpfs "$work/small"
    mount_start full --data "$work/small/data" --listen 127.0.0.1:0
    echo kept > "$work/full/kept"
    mount_stop full
    rm -f "$work/small"/data/*.reserve
    cat /dev/zero > "$work/small/ballast" 2> /dev/null || :
    mount_start full --data "$work/small/data" --listen 127.0.0.1:0
    holds "$work/full/kept" kept
    bad "No space left" cp "$0" "$work/full/more"
    rm "$work/small/ballast"
    wait_until 60 cp "$0" "$work/full/more" || fail "no room after the ballast went"
    good rm "$work/full/kept"
    mount_stop full
    good umount "$work/small"
}

test_bad_block__files_are_told_removed_and_overwritten() {
    good python3 - "$dynamofs" "$work" << 'PYTHON'
import errno, fcntl, glob, os, random, subprocess, sys, time

dynamofs, work = sys.argv[1:]
mount, data = work + "/block", work + "/block.data"
os.mkdir(mount)

def start():
    subprocess.run([dynamofs, "--data", data, "--listen", "127.0.0.1:0", mount], check=True)

def stop():
    subprocess.run(["fusermount3", "-u", mount], check=True)
    with open(data + "/db/LOCK", "r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX) # until the node has let go of it

def read(name):
    with open(f"{mount}/{name}", "rb") as file:
        return file.read()

def write(name, content):
    with open(f"{mount}/{name}", "wb") as file:
        file.write(content)

start()
for i in range(300):
    write(f"f{i}", random.randbytes(900))
stop()
start()
stop()
table = max(glob.glob(data + "/db/*.ldb"), key=os.path.getsize)
with open(table, "r+b") as file:
    file.seek(100000)
    file.write(random.randbytes(300))
start()
hurt = []
for i in range(300):
    try:
        read(f"f{i}")
    except OSError as error:
        assert error.errno == errno.EIO, error
        hurt.append(f"f{i}")
assert 3 <= len(hurt) < 20, hurt
os.unlink(f"{mount}/{hurt[0]}")
write(hurt[1], b"new")
write("other", b"moved")
os.rename(f"{mount}/other", f"{mount}/{hurt[2]}")
assert read(hurt[1]) == b"new" and read(hurt[2]) == b"moved"
assert len(os.listdir(mount)) == 299
stop()
PYTHON
}

run_tests "$0"
