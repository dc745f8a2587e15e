# two_mounts.sh - three nodes with two mounts, $a and $b, and what is asked of both. To be sourced
# after lib.sh.

cluster_start 3
mount_start a --cluster "$cluster"
mount_start b --cluster "$cluster"
a=$work/a
b=$work/b

# both_show DIRECTORY NAME... - the same names on both mounts.
both_show() {
    local directory=$1
    shift
    shows "$a/$directory" "$@"
    shows "$b/$directory" "$@"
}

# both_hold FILE CONTENT
both_hold() {
    holds "$a/$1" "$2"
    holds "$b/$1" "$2"
}

# conflict FILE - two versions that did not know of each other: "from a", then "from b".
# Each shell opens the file before the other closes it.
conflict() {
    echo base > "$a/$1"
    exec 3> "$a/$1"
    exec 4> "$b/$1"
    echo "from a" >&3
    echo "from b" >&4
    exec 3>&-
    exec 4>&-
}
