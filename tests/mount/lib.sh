# lib.sh - what the suites on real mounts share. To be sourced, with the build directory as $1.
#
# A suite is a file of functions test_*; run_tests runs them in their order, each in a subshell
# that ends at the first failure. Everything lives below $work, and whatever was started or
# mounted there is ended and unmounted at the end, by process id and by path.

set -u
umask 022
export LC_ALL=C TZ=UTC

if [ $# -lt 1 ]; then
    echo "usage: $0 BUILD_DIR" >&2
    exit 2
fi
build=$(cd "$1" && pwd) || exit 2
dynamofs=$build/fs/dynamofs
dynamod=$build/node/dynamod
dynamoctl=$build/node/dynamoctl
# For what comes at once on a quiet machine; only what hangs takes so long on a busy one.
deadline=300

if [ ! -c /dev/fuse ]; then
    echo "${0##*/}: /dev/fuse is missing: nothing was tested" >&2
    exit 1
fi
for program in "$dynamofs" "$dynamod"; do
    if [ ! -x "$program" ]; then
        echo "${0##*/}: $program is missing: build it first" >&2
        exit 1
    fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/dynamofs-test.XXXXXX") || exit 1
mkdir "$work/pids" "$work/logs"
export HOME=$work
failed=0

# --- processes ---------------------------------------------------------------------------------

# process_is_gone PID - also true for one that nobody has waited for yet, once all its threads
# have ended: until then its files may still be open and locked.
process_is_gone() {
    local state threads
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2> /dev/null)
    threads=$(ls "/proc/$1/task" 2> /dev/null | wc -l)
    [ -z "$state" ] || { [ "$state" = Z ] && [ "$threads" -le 1 ]; }
}

# wait_until SECONDS COMMAND... - until the command succeeds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# start NAME COMMAND... - in the background; its process id is kept, its output goes to a log.
start() {
    local name=$1
    shift
    setsid "$@" >> "$work/logs/$name" 2>&1 < /dev/null &
    echo $! > "$work/pids/$name"
    # That it was killed is nothing that the shell need tell.
    disown
}

pid_of() {
    cat "$work/pids/$1" 2> /dev/null
}

# end NAME [SIGNAL] - and wait until it is gone; false if it does not go.
end() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill "-${2:-TERM}" "$pid" 2> /dev/null
    if ! wait_until "$deadline" process_is_gone "$pid"; then
        kill -KILL "$pid"
        return 1
    fi
    rm -f "$work/pids/$1"
}

# free_ports COUNT - as many ports that nobody listens on, chosen by the kernel.
free_ports() {
    python3 - "$1" << 'PYTHON'
import socket, sys

sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
PYTHON
}

# --- nodes -------------------------------------------------------------------------------------

# cluster_start COUNT - nodes node1 ... that form a new cluster; sets $cluster.
cluster_start() {
    local ports port i=0
    rm -rf "$work"/node[0-9]*
    ports=$(free_ports "$1")
    cluster=
    for port in $ports; do
        i=$((i + 1))
        echo "127.0.0.1:$port" > "$work/address$i"
        cluster=${cluster:+$cluster,}127.0.0.1:$port
    done
    for ((i = 1; i <= $1; i++)); do
        node_start "$i"
    done
    for ((i = 1; i <= $1; i++)); do
        wait_until "$deadline" node_answers "$i" || fail "node $i does not answer"
    done
}

node_start() {
    local address others
    address=$(cat "$work/address$1")
    others=$(echo "$cluster" | tr ',' '\n' | grep -vxF "$address" | paste -s -d ,)
    start "node$1" "$dynamod" --data "$work/node$1" --listen "$address" \
        ${others:+--join "$others"}
}

node_answers() {
    "$dynamoctl" --cluster "$(cat "$work/address$1")" ring > /dev/null 2>&1
}

node_kill() {
    end "node$1" KILL
}

# --- mounts ------------------------------------------------------------------------------------

is_mounted() {
    awk -v point="$1" '$2 == point && $3 == "fuse.dynamofs" { found = 1 }
                       END { exit !found }' /proc/mounts
}

is_not_mounted() {
    ! is_mounted "$1"
}

mounted_or_dead() {
    is_mounted "$work/$1" || process_is_gone "$(pid_of "$1")"
}

# mount_start NAME OPTION... - in the foreground of a process of its own, on $work/NAME.
mount_start() {
    local name=$1
    shift
    mkdir -p "$work/$name"
    start "$name" "$dynamofs" -f "$@" "$work/$name"
    wait_until "$deadline" mounted_or_dead "$name"
    is_mounted "$work/$name" || fail "$name is not mounted: $(tail -n 3 "$work/logs/$name")"
    timeout "$deadline" stat "$work/$name" > /dev/null || fail "$name does not answer"
}

# mount_stop NAME - by unmounting; the process must end well by itself.
mount_stop() {
    local pid
    pid=$(pid_of "$1")
    fusermount3 -u "$work/$1" || fail "cannot unmount $1"
    wait_until "$deadline" process_is_gone "$pid" || fail "the process of $1 goes on"
    rm -f "$work/pids/$1"
}

# deleted_blocks NAME - of how many the mount told, which is once in a round of its collector.
deleted_blocks() {
    sed -n 's/.*deleted blocks that no file names: //p' "$work/logs/$1" |
        awk '{ sum += $1 } END { print sum + 0 }'
}

# has_deleted NAME COUNT - so many, or more.
has_deleted() {
    [ "$(deleted_blocks "$1")" -ge "$2" ]
}

# --- assertions: each says where and what, and ends the test -----------------------------------

fail() {
    local frame=0
    # The line in the suite, not the one in here.
    while [ "${BASH_SOURCE[frame + 1]-}" = "${BASH_SOURCE[0]}" ]; do
        frame=$((frame + 1))
    done
    echo "${BASH_SOURCE[frame + 1]-$0}:${BASH_LINENO[frame]}: $*" >&2
    exit 1
}

# equal EXPECTED GOT [WHAT]
equal() {
    [ "$1" = "$2" ] || fail "${3:+$3: }expected \"$1\", got \"$2\""
}

# good COMMAND... - must succeed.
good() {
    local output
    output=$("$@" 2>&1) || fail "failed ($?): $* ${output:+: $output}"
}

# bad TEXT COMMAND... - must fail, and say TEXT.
bad() {
    local text=$1 output
    shift
    if output=$("$@" 2>&1); then
        fail "succeeded, but should not: $*"
    fi
    case "$output" in
    *"$text"*) ;;
    *) fail "$*: says \"$output\", not \"$text\"" ;;
    esac
}

# one_line TEXT - what a program says when it refuses.
one_line() {
    equal 1 "$(printf '%s\n' "$1" | wc -l)" "lines of \"$1\""
}

# shows DIRECTORY NAME... - exactly these, as ls sorts them.
shows() {
    local directory=$1
    shift
    equal "$*" "$(ls -A "$directory" | paste -s -d ' ')" "names in $directory"
}

# holds FILE CONTENT
holds() {
    local content
    content=$(cat "$1" 2>&1) || fail "cannot read $1: $content"
    equal "$2" "$content" "content of $1"
}

# --- running and cleaning up -------------------------------------------------------------------

run_tests() {
    local name result
    for name in $(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' "$@"); do
        (
            set -e
            "$name"
        )
        result=$?
        if [ "$result" -eq 0 ]; then
            echo "  ok    $name"
        else
            echo "  FAIL  $name"
            failed=$((failed + 1))
        fi
    done
    [ "$failed" -eq 0 ]
    exit
}

unmount_all() {
    local directory
    awk -v work="$work/" 'index($2, work) == 1 { print $2 }' /proc/mounts | tac |
        while read -r directory; do
            fusermount3 -u -z -q "$directory" 2> /dev/null ||
                umount -l "$directory" 2> /dev/null
        done
}

clean_up() {
    local result=$? file pid
    trap - EXIT INT TERM
    unmount_all
    for file in "$work"/pids/*; do
        [ -f "$file" ] && kill -TERM "$(cat "$file")" 2> /dev/null
    done
    for file in "$work"/pids/*; do
        [ -f "$file" ] || continue
        pid=$(cat "$file")
        if ! wait_until "$deadline" process_is_gone "$pid"; then
            echo "${file##*/} ($pid) did not end and was killed" >&2
            kill -KILL "$pid" 2> /dev/null
            result=1
        fi
    done
    if grep -E 'Sanitizer|runtime error|Assertion|core dumped' "$work"/logs/* >&2; then
        echo "a program broke" >&2
        result=1
    fi
    if [ "$failed" -gt 0 ] || [ "$result" -ne 0 ]; then
        tail -n 6 "$work"/logs/* >&2
        echo "data and logs: $work" >&2
    else
        rm -rf "$work"
    fi
    exit "$result"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
