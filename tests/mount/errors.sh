#!/bin/bash
# errors.sh - what goes wrong is told in one line, within the deadline, and the mount goes on.
# usage: tests/mount/errors.sh BUILD_DIR

. "$(dirname "$0")/lib.sh"

mkdir "$work/mnt"

# refused EXIT TEXT COMMAND... - ends with that code and says TEXT in one line.
refused() {
    local code=$1 text=$2 output result=0
    shift 2
    output=$(timeout "$deadline" "$@" 2>&1) || result=$?
    equal "$code" "$result" "exit code of \"$*\" ($output)"
    one_line "$output"
    case "$output" in
    *"$text"*) ;;
    *) fail "\"$output\" does not say \"$text\"" ;;
    esac
}

# ends COMMAND... - does not hang, whatever its result; sets $output and $result. How long it may
# take is told by the tests of the client, which count attempts: a busy machine takes its time.
ends() {
    result=0
    output=$(timeout "$deadline" "$@" 2>&1) || result=$?
    [ "$result" -ne 124 ] || fail "hangs: $*"
}

# The process of a mount that went to the background.
daemon_of() {
    local process
    for process in /proc/[0-9]*; do
        if [ "$(readlink "$process/exe")" = "$dynamofs" ] &&
            tr '\0' '\n' < "$process/cmdline" | grep -qxF "$1"; then
            echo "${process#/proc/}"
        fi
    done 2> /dev/null
}

no_daemon_of() {
    [ -z "$(daemon_of "$1")" ]
}

test_options_that_are_wrong__exit_code_2() {
    refused 2 "unknown option --frobnicate" "$dynamofs" --frobnicate "$work/mnt"
    refused 2 "unknown option -o frobnicate" "$dynamofs" -o frobnicate "$work/mnt"
    refused 2 "timeout=0" "$dynamofs" -o timeout=0 "$work/mnt"
    refused 2 "no mountpoint" "$dynamofs"
    refused 2 "HOST:PORT" "$dynamofs" --cluster nowhere "$work/mnt"
    refused 2 "HOST:PORT" "$dynamofs" --join 127.0.0.1:1, "$work/mnt"
    refused 2 "HOST:PORT" "$dynamofs" --listen 127.0.0.1:70000 "$work/mnt"
    refused 2 '\x1b[2J' "$dynamofs" $'--\e[2J' "$work/mnt"
}

test_help_on_a_full_disk__is_a_failure() {
    local program
    for program in "$dynamofs" "$dynamod" "$dynamoctl"; do
        ! "$program" --help > /dev/full 2> /dev/null || fail "$program --help: exit code 0"
        ! "$program" --version > /dev/full 2> /dev/null || fail "$program --version: exit code 0"
    done
}

test_mountpoint_that_is_none__exit_code_1() {
    refused 1 "mount on $work/none: No such file" "$dynamofs" --data "$work/d" "$work/none"
    touch "$work/file"
    refused 1 "mount on $work/file: is not a directory" "$dynamofs" --data "$work/d" "$work/file"
    refused 1 "under the mount" "$dynamofs" --data "$work/mnt/data" "$work/mnt"
}

test_busy_port__is_told() {
    local port
    port=$(free_ports 1)
    start listener python3 -c "
import socket, time
s = socket.socket()
s.bind(('127.0.0.1', $port))
s.listen()
time.sleep(600)"
    wait_until "$deadline" grep -q ":$(printf %04X "$port") .* 0A " /proc/net/tcp
    refused 1 "address already in use" \
        "$dynamofs" --data "$work/busy" --listen "127.0.0.1:$port" "$work/mnt"
    is_not_mounted "$work/mnt" || fail "it is mounted all the same"
    end listener
}

test_listening_beyond_this_machine__needs_insecure() {
    refused 1 "--insecure" "$dynamofs" --data "$work/wide" --listen 192.0.2.1:7450 "$work/mnt"
}

test_cluster_that_is_not_there__is_told_in_time() {
    ends "$dynamofs" --cluster "127.0.0.1:$(free_ports 1)" "$work/mnt"
    equal 1 "$result" "exit code ($output)"
    one_line "$output"
    is_not_mounted "$work/mnt" || fail "it is mounted all the same"
}

# Only one of three is there: the root cannot be read.
test_cluster_without_its_quorum__is_told_within_the_timeout() {
    cluster_start 3
    node_kill 2
    node_kill 3
    ends "$dynamofs" --cluster "$cluster" -o timeout=2 "$work/mnt"
    equal 1 "$result" "exit code ($output)"
    one_line "$output"
    case "$output" in
    *"1 of the 3 nodes that hold its root answers, 2 needed"*) ;;
    *) fail "does not say what is missing: $output" ;;
    esac
    wait_until 10 is_not_mounted "$work/mnt" || fail "it is mounted all the same"
    node_start 2
    wait_until "$deadline" node_answers 2 || fail "node 2 does not come back"
    good "$dynamofs" --cluster "$cluster" -o timeout=60 "$work/mnt"
    good fusermount3 -u "$work/mnt"
    wait_until "$deadline" no_daemon_of "$work/mnt" || fail "the process goes on"
    end node1 && end node2
}

# As mount(8) calls for a line of fstab, and whether it knows its line again.
test_fstab__a_line_that_is_mounted_is_not_mounted_again() {
    local node said
    cluster_start 1
    mkdir -p "$work/fstab"
    for node in "$cluster" none; do
        echo "$node $work/fstab fuse.dynamofs relatime,_netdev,data=$work/fstab.data 0 0" \
            > "$work/table"
        set -- "$node" "$work/fstab" -o rw,relatime,nodiratime,strictatime,_netdev
        [ "$node" != none ] || set -- "$@" -o "data=$work/fstab.data,listen=127.0.0.1:0"
        good "$dynamofs" "$@"
        said=$(mount -T "$work/table" -a -v 2>&1) || :
        case "$said" in
        *"already mounted"*) ;;
        *) fail "mount -a does not know $node again: $said" ;;
        esac
        good fusermount3 -u "$work/fstab"
        wait_until "$deadline" no_daemon_of "$work/fstab" || fail "the process goes on"
    done
    [ -d "$work/fstab.data/db" ] || fail "the data is not where -o data= says"
    end node1
}

test_background__answers_once_it_has_returned() {
    local pid
    good "$dynamofs" --data "$work/background" --listen 127.0.0.1:0 "$work/mnt"
    is_mounted "$work/mnt" || fail "not mounted"
    echo x > "$work/mnt/file"
    pid=$(daemon_of "$work/mnt")
    [ -n "$pid" ] || fail "there is no process"
    good fusermount3 -u "$work/mnt"
    wait_until "$deadline" process_is_gone "$pid" || fail "process $pid goes on"
    good "$dynamofs" --data "$work/background" --listen 127.0.0.1:0 "$work/mnt"
    holds "$work/mnt/file" x
    pid=$(daemon_of "$work/mnt")
    echo "$pid" > "$work/pids/background"
    kill -USR2 "$pid"
    kill -USR1 "$pid"
    holds "$work/mnt/file" x
    end background TERM || fail "did not end on SIGTERM"
    wait_until "$deadline" is_not_mounted "$work/mnt" || fail "still mounted after SIGTERM"
}

test_background__says_nothing_when_all_is_well() {
    equal "" "$("$dynamofs" --data "$work/silent" --listen 127.0.0.1:0 "$work/mnt" 2>&1)"
    good fusermount3 -u "$work/mnt"
    wait_until "$deadline" no_daemon_of "$work/mnt" || fail "the process goes on"
}

test_mount_options__are_taken() {
    mkdir "$work/options"
    good "$dynamofs" --data "$work/options.data" --listen 127.0.0.1:0 -o auto_unmount \
        "$work/options"
    echo x > "$work/options/x"
    kill -KILL "$(daemon_of "$work/options")"
    wait_until "$deadline" is_not_mounted "$work/options" || fail "auto_unmount did not"
    good "$dynamofs" --data "$work/options.data" --listen 127.0.0.1:0 \
        -o ro,noatime,fsname=mine,_netdev,nofail,x-mine "$work/options"
    holds "$work/options/x" x
    bad "Read-only file system" touch "$work/options/y"
    grep -q "^mine $work/options fuse.dynamofs ro,.*noatime" /proc/mounts ||
        fail "$(grep "$work/options" /proc/mounts)"
    good fusermount3 -u "$work/options"
    wait_until "$deadline" no_daemon_of "$work/options" || fail "the process goes on"
}

test_mount_options__owner_and_mask_are_shown() {
    mkdir "$work/owner"
    good "$dynamofs" --data "$work/owner.data" --listen 127.0.0.1:0 \
        -o uid=7,gid=8,umask=027,allow_other "$work/owner"
    echo x > "$work/owner/x"
    equal "7 8 750" "$(stat -c '%u %g %a' "$work/owner/x")"
    equal "7 8 750 regular file" "$(find "$work/owner" -type f -printf '%U %G %m regular file')"
    good fusermount3 -u "$work/owner"
    wait_until "$deadline" no_daemon_of "$work/owner" || fail "the process goes on"
    good "$dynamofs" --data "$work/owner.data" --listen 127.0.0.1:0 "$work/owner"
    equal "$(id -u) $(id -g) 644" "$(stat -c '%u %g %a' "$work/owner/x")"
    good fusermount3 -u "$work/owner"
    wait_until "$deadline" no_daemon_of "$work/owner" || fail "the process goes on"
}

# mount(8) with a type of dynamofs calls it so.
test_mount_helper__takes_the_switches_of_mount() {
    mkdir "$work/helped"
    ln -s "$dynamofs" "$work/mount.dynamofs"
    set -- none "$work/helped" -n -v -o "rw,data=$work/helped.data,listen=127.0.0.1:0"
    good "$work/mount.dynamofs" "$@" -f
    is_not_mounted "$work/helped" || fail "-f mounts"
    bad "unknown option -o frobnicate" "$work/mount.dynamofs" "$@" -o frobnicate
    good "$work/mount.dynamofs" "$@" -s -o frobnicate -t dynamofs
    is_mounted "$work/helped" || fail "not mounted"
    good fusermount3 -u "$work/helped"
    wait_until "$deadline" no_daemon_of "$work/helped" || fail "the process goes on"
}

# nobody_mounts DIRECTORY - what a user does, by fusermount3, with a program and a place that
# everybody can reach; where /dev/fuse is root's alone, as on a machine without udev, another one
# lies over it. In a mount namespace of its own.
nobody_mounts() {
    local as_nobody="setpriv --reuid nobody --regid nogroup --clear-groups"
    mknod -m 666 "$1/fuse" c 10 229
    cp "$dynamofs" "$1/dynamofs"
    mount --bind "$1" /mnt
    mount --bind /mnt/fuse /dev/fuse
    dynamofs=/mnt/dynamofs
    good $as_nobody /mnt/dynamofs --data /mnt/data --listen 127.0.0.1:0 /mnt/mnt
    good $as_nobody sh -c 'echo x > /mnt/mnt/x && [ "$(cat /mnt/mnt/x)" = x ]'
    equal nobody "$($as_nobody stat -c %U /mnt/mnt/x)"
    # Without allow_other it is nobody else's, not even root's.
    bad "Permission denied" cat /mnt/mnt/x
    good $as_nobody fusermount3 -u /mnt/mnt
    wait_until "$deadline" no_daemon_of /mnt/mnt || fail "the process goes on"
}

test_nobody__mounts_and_unmounts() {
    mkdir "$work/theirs" "$work/theirs/data" "$work/theirs/mnt"
    chmod 755 "$work/theirs"
    chown nobody:nogroup "$work/theirs/data" "$work/theirs/mnt"
    export dynamofs deadline
    export -f nobody_mounts good bad equal fail wait_until no_daemon_of daemon_of
    good unshare --mount bash -c 'nobody_mounts "$1"' - "$work/theirs"
}

test_two_mounts_on_one_directory__second_covers_the_first() {
    mount_start lower --data "$work/lower.data" --listen 127.0.0.1:0
    echo lower > "$work/lower/f"
    good "$dynamofs" --data "$work/upper.data" --listen 127.0.0.1:0 "$work/lower"
    shows "$work/lower"
    good fusermount3 -u "$work/lower"
    holds "$work/lower/f" lower
    mount_stop lower
}

test_signals__end_the_mount_and_nothing_is_lost() {
    local signal pid
    for signal in TERM INT HUP; do
        mount_start signalled --data "$work/signalled.data" --listen 127.0.0.1:0
        echo "$signal" > "$work/signalled/$signal"
        pid=$(pid_of signalled)
        end signalled "$signal" || fail "did not end on SIG$signal"
        is_not_mounted "$work/signalled" || fail "still mounted after SIG$signal"
    done
    mount_start signalled --data "$work/signalled.data" --listen 127.0.0.1:0
    shows "$work/signalled" HUP INT TERM
    mount_stop signalled
}

test_killed__every_closed_file_is_there_again() {
    local i
    mount_start killed --data "$work/killed.data" --listen 127.0.0.1:0
    for i in $(seq 100); do
        echo "$i" > "$work/killed/$i"
    done
    exec 3> "$work/killed/open"
    echo unclosed >&3
    end killed KILL
    exec 3>&- 2> /dev/null || :
    bad "not connected" ls "$work/killed"
    refused 1 "a mount died here" "$dynamofs" --data "$work/killed.data" "$work/killed"
    good fusermount3 -u -z "$work/killed"
    mount_start killed --data "$work/killed.data" --listen 127.0.0.1:0
    for i in $(seq 100); do
        holds "$work/killed/$i" "$i"
    done
    equal 100 "$(ls "$work/killed" | grep -vxc open)" "names"
    mount_stop killed
}

test_second_mount_of_one_data_directory__uses_the_first_ones_node() {
    mount_start first --data "$work/shared" --listen 127.0.0.1:0
    echo one > "$work/first/one"
    mount_start second --data "$work/shared"
    holds "$work/second/one" one
    echo two > "$work/second/two"
    holds "$work/first/two" two
    mount_stop second
    holds "$work/first/two" two
    mount_stop first
}

test_data_directory_in_use_and_nobody_listening__is_told() {
    local port
    mount_start holder --data "$work/held" --listen 127.0.0.1:0
    port=$(free_ports 1)
    echo "127.0.0.1:$port" > "$work/held/address"
    refused 1 "is in use" "$dynamofs" --data "$work/held" "$work/mnt"
    is_not_mounted "$work/mnt" || fail "it is mounted all the same"
    mount_stop holder
}

test_data_of_another_cluster__is_not_touched_by_join() {
    cluster_start 1
    mount_start settled --data "$work/settled.data" --listen 127.0.0.1:0
    echo x > "$work/settled/x"
    mount_stop settled
    # The node alone says so and ends; a mount goes on with errors, its node's reason in the log.
    ends "$dynamod" --data "$work/settled.data" --listen 127.0.0.1:0 --join "$cluster"
    equal 1 "$result" "exit code ($output)"
    case "$output" in
    *"another cluster"*) ;;
    *) fail "no word of another cluster: $output" ;;
    esac
    mount_start settled --data "$work/settled.data" --listen 127.0.0.1:0
    holds "$work/settled/x" x
    mount_stop settled
    mount_start untouched --cluster "$cluster"
    shows "$work/untouched"
    mount_stop untouched
    end node1
}

test_quorum_lost__errors_in_time_and_works_again() {
    cluster_start 3
    mount_start quorum --cluster "$cluster" -o timeout=3
    echo before > "$work/quorum/before"
    node_kill 2
    node_kill 3
    ends sh -c "echo x > $work/quorum/new"
    [ "$result" -ne 0 ] || fail "a write without its quorum succeeded"
    case "$output" in
    *"Input/output error"* | *"timed out"*) ;;
    *) fail "says \"$output\"" ;;
    esac
    ends ls "$work/quorum"
    [ "$result" -ne 0 ] || fail "a listing without its quorum succeeded: $output"
    ends cat "$work/quorum/before"
    [ "$result" -ne 0 ] || fail "a read without its quorum succeeded: $output"
    is_mounted "$work/quorum" || fail "the mount is gone"
    node_start 2
    node_start 3
    wait_until "$deadline" sh -c "cat $work/quorum/before > /dev/null 2>&1" ||
        fail "does not read again"
    holds "$work/quorum/before" before
    wait_until "$deadline" sh -c "echo after > $work/quorum/after 2> /dev/null" ||
        fail "does not write again"
    holds "$work/quorum/after" after
    mount_stop quorum
    end node1 && end node2 && end node3
}

# interrupted COMMAND... - waits for a cluster that does not answer, and ends when it gets SIGINT:
# without that only an hour later.
interrupted() {
    python3 - "$@" << 'PYTHON'
import signal, subprocess, sys, time


def heed():  # a shell's background jobs ignore it, and hand that on
    signal.signal(signal.SIGINT, signal.SIG_DFL)


process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL, preexec_fn=heed)
try:
    process.wait(1)
    sys.exit(f"ended before it was interrupted, with {process.returncode}")
except subprocess.TimeoutExpired:
    pass
process.send_signal(signal.SIGCHLD)  # what programs get all the time
try:
    process.wait(0.5)
    sys.exit("a routine signal ended the wait")
except subprocess.TimeoutExpired:
    pass
process.send_signal(signal.SIGINT)
try:
    process.wait(60)
except subprocess.TimeoutExpired:
    process.kill()
    sys.exit("goes on waiting")
PYTHON
}

test_all_nodes_frozen__a_call_that_waits_is_interrupted() {
    local i
    cluster_start 3
    mount_start frozen --cluster "$cluster" -o timeout=3600,attr_timeout=0,entry_timeout=0
    mkdir "$work/frozen/d"
    echo kept > "$work/frozen/d/f"
    for i in 1 2 3; do
        kill -STOP "$(pid_of "node$i")"
    done
    good interrupted cat "$work/frozen/d/f"
    good interrupted ls "$work/frozen/d"
    good interrupted mv "$work/frozen/d/f" "$work/frozen/d/g"
    good interrupted rm "$work/frozen/d/f"
    good interrupted df "$work/frozen"
    for i in 1 2 3; do
        kill -CONT "$(pid_of "node$i")"
    done
    mount_stop frozen
    end node1 && end node2 && end node3
}

# The close fails, and what was written is put when the kernel gives the file back.
test_close_interrupted__the_content_is_not_lost() {
    cluster_start 3
    mount_start frozen --cluster "$cluster" -o timeout=3600
    good timeout 120 python3 - "$work/frozen/f" "$(pid_of node1)" "$(pid_of node2)" \
        "$(pid_of node3)" << 'PYTHON'
import os, signal, sys

def on_alarm(number, frame):
    raise TimeoutError

file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
os.write(file, b"written")
for process in sys.argv[2:]:
    os.kill(int(process), signal.SIGSTOP)
signal.signal(signal.SIGALRM, on_alarm)
signal.alarm(1)
try:
    os.close(file)
    sys.exit("the close worked")
except TimeoutError:
    pass
for process in sys.argv[2:]:
    os.kill(int(process), signal.SIGCONT)
PYTHON
    holds "$work/frozen/f" written
    mount_stop frozen
    mount_start frozen --cluster "$cluster"
    holds "$work/frozen/f" written
    mount_stop frozen
    end node1 && end node2 && end node3
}

# A program makes several calls for one thing that it does; that the later ones wait a share is
# kv_silent's to test.
test_all_nodes_frozen__df_and_mv_end_and_work_again() {
    local i
    cluster_start 3
    mount_start frozen --cluster "$cluster" -o timeout=3
    echo x > "$work/frozen/f"
    for i in 1 2 3; do
        kill -STOP "$(pid_of "node$i")"
    done
    sleep 1.2 # the kernel forgets what it was told
    ends df "$work/frozen"
    [ "$result" -ne 0 ] || fail "df knows of a cluster that does not answer: $output"
    ends mv "$work/frozen/f" "$work/frozen/g"
    [ "$result" -ne 0 ] || fail "mv worked: $output"
    for i in 1 2 3; do
        kill -CONT "$(pid_of "node$i")"
    done
    wait_until "$deadline" sh -c "cat $work/frozen/f > /dev/null 2>&1" || fail "does not read again"
    good mv "$work/frozen/f" "$work/frozen/g"
    mount_stop frozen
    end node1 && end node2 && end node3
}

test_one_node_down__nothing_is_noticed() {
    cluster_start 3
    mount_start sloppy --cluster "$cluster"
    for i in 1 2 3; do
        node_kill "$i"
        echo "without $i" > "$work/sloppy/$i" || fail "cannot write without node $i"
        holds "$work/sloppy/$i" "without $i"
        equal "$i" "$(ls "$work/sloppy" | wc -l)" "names without node $i"
        node_start "$i"
        wait_until "$deadline" node_answers "$i" || fail "node $i does not come back"
    done
    mount_stop sloppy
    end node1 && end node2 && end node3
}

test_full_disk__enospc_to_the_writer_and_reads_go_on() {
    local i kept=
    mkdir "$work/small"
    mount -t tmpfs -o size=48m none "$work/small"
    mount_start full --data "$work/small/data" --listen 127.0.0.1:0
    head -c 1000000 /dev/urandom > "$work/megabyte"
    for i in $(seq 80); do
        if ! cp "$work/megabyte" "$work/full/$i" 2> "$work/message"; then
            grep -q "No space left" "$work/message" || fail "$(cat "$work/message")"
            break
        fi
        kept="$kept $i"
    done
    [ "$i" -lt 80 ] || fail "80 MB fit on a disk of 48 MB"
    [ -n "$kept" ] || fail "nothing fits"
    for i in $kept; do
        good cmp "$work/megabyte" "$work/full/$i"
    done
    ls "$work/full" > /dev/null || fail "cannot list"
    mount_stop full
    # LevelDB itself may need room to open; whatever it says, nothing is lost.
    mount -o remount,size=96m "$work/small"
    mount_start full --data "$work/small/data" --listen 127.0.0.1:0
    for i in $kept; do
        good cmp "$work/megabyte" "$work/full/$i"
    done
    good cp "$work/megabyte" "$work/full/again"
    mount_stop full
    umount "$work/small"
}

run_tests "$0"
