#!/bin/bash
# posix.sh - system calls on a real mount, by their manual pages: what docs/posix.md says.
# usage: tests/mount/posix.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"

# As root also for other users, and with devices.
options=
if [ "$(id -u)" -eq 0 ]; then
    options=allow_other,dev,suid
    chmod 755 "$work"
fi
calls=$(dirname "$0")/posix_calls.py
cluster_start 3
mount_start mnt --cluster "$cluster" ${options:+-o "$options"}
# It asks for what it is asked for: no second of delay.
mount_start other --cluster "$cluster" -o attr_timeout=0,entry_timeout=0
mnt=$work/mnt
other=$work/other
chmod 777 "$mnt"

# type_of FILE
type_of() {
    stat -c %F "$1"
}

# root_only - false, with a word, for those who may not do it.
root_only() {
    [ "$(id -u)" -eq 0 ] || {
        echo "        (only root can test that)"
        return 1
    }
}

test_fifo_carries_what_is_written() {
    good mkfifo -m 640 "$mnt/fifo"
    equal "fifo 640 0" "$(stat -c '%F %a %s' "$mnt/fifo")"
    equal fifo "$(type_of "$other/fifo")"
    echo through > "$mnt/fifo" &
    equal through "$(cat "$mnt/fifo")"
    wait
    chmod 600 "$mnt/fifo"
    touch -d 2001-02-03 "$mnt/fifo"
    equal "600 2001-02-03" "$(stat -c '%a %.10y' "$mnt/fifo")"
    good mv "$mnt/fifo" "$mnt/moved"
    equal fifo "$(type_of "$mnt/moved")"
    echo file > "$mnt/fifo"
    good mv "$mnt/fifo" "$mnt/moved"
    holds "$other/moved" file
    good rm "$mnt/moved"
}

test_socket_is_bound_and_connected_to() {
    good python3 - "$mnt" << 'PYTHON'
import os, socket, stat, sys

os.chdir(sys.argv[1])
server = socket.socket(socket.AF_UNIX)
server.bind("socket")
assert stat.S_ISSOCK(os.stat("socket").st_mode)
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect("socket")
client.send(b"hello")
assert server.accept()[0].recv(5) == b"hello"
try:
    socket.socket(socket.AF_UNIX).bind("socket")
    sys.exit("bound twice")
except OSError as error:
    assert error.strerror == "Address already in use", error
PYTHON
    equal socket "$(type_of "$other/socket")"
    bad "No such device or address" cat "$mnt/socket"
    rm "$mnt/socket"
}

test_devices_are_what_was_made() {
    root_only || return 0
    good mknod -m 666 "$mnt/null" c 1 3
    good mknod "$mnt/disk" b 259 70000
    equal "character special file 666 1 3" "$(stat -c '%F %a %Hr %Lr' "$mnt/null")"
    equal "block special file 259 70000" "$(stat -c '%F %Hr %Lr' "$other/disk")"
    echo gone > "$mnt/null"
    equal "" "$(cat "$mnt/null")"
    good cp -a "$mnt/null" "$mnt/copy"
    equal "1 3" "$(stat -c '%Hr %Lr' "$other/copy")"
    "$dynamoctl" --cluster "$cluster" ls / > "$work/list"
    grep -q '^crw-rw-rw- .*  1,   3 .* null$' "$work/list" || fail "$(cat "$work/list")"
    "$dynamoctl" --cluster "$cluster" ls --json / | python3 -c '
import json, sys
disk = [row for row in json.load(sys.stdin)["rows"] if row["name"] == "disk"][0]
assert (disk["type"], disk["major"], disk["minor"]) == ("block device", 259, 70000), disk
' || fail "the device is another one in JSON"
    rm "$mnt/null" "$mnt/disk" "$mnt/copy"
}

test_names_and_paths_are_as_long_as_programs_expect() {
    good python3 - "$mnt" << 'PYTHON'
import errno, os, sys

top = os.path.join(sys.argv[1], "long")
os.mkdir(top)
os.chdir(top)
name = "n" * 255
assert os.pathconf(".", "PC_NAME_MAX") == 255
open(name, "w").write("kept")
os.rename(name, "short")
os.rename("short", name)
assert os.listdir(".") == [name]
assert open(name).read() == "kept"

def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == errno.ENAMETOOLONG, error
        return
    raise AssertionError(f"{call} of a name or path that is too long")

for call in (os.mkdir, os.stat, os.unlink, os.mkfifo, os.rmdir):
    refused(call, name + "x")
refused(os.rename, name, name + "x")
os.unlink(name)

# A relative path of 4,095 bytes, as PATH_MAX allows; then the same again from there.
parts = ["d" * 127] * 31
directory = "/".join(parts)
path = directory + "/" + "f" * (4095 - len(directory) - 1)
os.makedirs(directory)
os.mkdir(path)
refused(os.mkdir, path + "x")
os.chdir(path)
directory = "/".join(parts[:30])
os.makedirs(directory)
with open(directory + "/file", "w") as file:
    file.write("deep")
assert open(directory + "/file").read() == "deep"
os.chdir(directory)
refused(os.mkdir, "e" * 255)
PYTHON
    good rm -r "$mnt/long"
    # Two versions of a name that leaves no room for a suffix.
    local name
    name=$(printf '%0255d' 1)
    exec 3> "$mnt/$name" 4> "$other/$name"
    echo one >&3
    echo two >&4
    exec 3>&- 4>&-
    equal 3 "$(ls "$mnt" | wc -l)" "names"
    equal "one two" "$(cat "$mnt"/0*~v* | paste -s -d ' ')"
    holds "$mnt/$name" two
    good rm "$other"/0*~v1
    shows "$other" "$name"
    good rm "$other/$name"
}

test_system_calls_of_posix_calls_py() {
    local name wrong=
    for name in $(sed -n 's/^def \([a-z_]*\)(other):$/\1/p' "$calls"); do
        mkdir "$mnt/$name"
        timeout "$deadline" python3 "$calls" "$name" "$mnt/$name" "$other/$name" ||
            wrong="$wrong $name"
    done
    equal "" "$wrong" "calls that are wrong"
    good rm -r "$mnt"/*
    shows "$other"
}

run_tests "$0"
