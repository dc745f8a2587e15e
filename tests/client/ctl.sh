#!/bin/sh
# ctl.sh - drives every verb of dynamoctl against a real node.
# usage: ctl.sh DYNAMOD DYNAMOCTL MAKE_LARGE
#
# Rules: what was put is got, byte for byte; a put without a context makes a sibling, one with it
# supersedes; delete says which versions; each outcome has its exit code; JSON is JSON, whatever
# bytes names and contents hold; errors are one line.
set -eu

dynamod=$1
dynamoctl=$2
make_large=$3
work=$(mktemp -d)
node=
trap 'test -z "$node" || kill "$node" 2>/dev/null || true; rm -rf "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    test ! -s "$work/err" || cat "$work/err" >&2
    exit 1
}

# Waits until the node says where it listens, or has ended.
await_node()
{
    tries=0
    until grep -q '^dynamod: ready on ' "$work/ready"; do
        tries=$((tries + 1))
        kill -0 "$node" 2>/dev/null || fail "dynamod ended: $(cat "$work/log")"
        test $tries -lt 3000 || fail "dynamod is not ready after 300 s"
        sleep 0.1
    done
    address=$(sed -n 's/^dynamod: ready on //p' "$work/ready")
    # It listens; its cluster of one may still be on its way to the disk.
    until ctl ring >/dev/null 2>&1; do
        tries=$((tries + 1))
        test $tries -lt 3000 || fail "dynamod has no ring after 300 s"
        sleep 0.1
    done
}

ctl()
{
    "$dynamoctl" --cluster "$address" "$@"
}

# expect CODE ARGUMENTS...: runs dynamoctl, output to $work/out and $work/err.
expect()
{
    wanted=$1
    shift
    code=0
    ctl "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    test "$code" = "$wanted" || fail "dynamoctl $*: exit code $code, not $wanted"
    test "$(wc -l <"$work/err")" -le 1 || fail "dynamoctl $*: more than one line of error"
    test "$wanted" = 0 || test -s "$work/err" || fail "dynamoctl $*: no error told"
}

# json EXPRESSION: $work/out is JSON, and the Python expression over `it` holds.
json()
{
    python3 -m json.tool "$work/out" >/dev/null || fail "no JSON: $(cat "$work/out")"
    python3 - "$work/out" "$1" <<'PYTHON' || fail "not so: $1 in $(cat "$work/out")"
import base64, hashlib, json, sys
it = json.load(open(sys.argv[1], encoding="utf-8"))
sys.exit(0 if eval(sys.argv[2]) else 1)
PYTHON
}

"$dynamod" --data "$work/data" --listen 127.0.0.1:0 >"$work/ready" 2>"$work/log" &
node=$!
await_node

echo "== status and ring"
expect 0 status
grep -q "^UN $address" "$work/out" || fail "the node is not up and normal"
expect 0 status --json
json 'it["members"][0]["state"] == "UN" and it["members"][0]["ready"] and "puts" in it["members"][0]["stats"]'
expect 0 ring
grep -q "256 tokens" "$work/out" || fail "a lone node owns every token"
expect 0 ring --json
json 'sum(m["tokens"] for m in it["members"]) == it["partitions"]'
expect 0 ring a/b --json
json 'it["position"] == hashlib.md5(b"a/b").hexdigest() and it["partition"] == int(it["position"][:2], 16)'
expect 0 ring a/b
grep -q "$address" "$work/out" || fail "no node holds the key"

echo "== hints and repair"
expect 0 hints
grep -q '^total  *0  *0 B  *-$' "$work/out" || fail "a lone node keeps hints"
expect 0 hints --json
json 'it["hints"] == [] and it["total"]["count"] == 0 and it["unreachable"] == []'
expect 0 repair
grep -q '^repair began on 1 of 1 members$' "$work/out" || fail "repair does not begin"
expect 0 repair --wait --timeout 600
grep -q '^1 of 1 members through: ' "$work/out" || fail "repair does not end"
expect 0 repair --wait --json
json 'it["finished"] and it["complete"] and it["pairs_failed"] == 0 and it["members"][0]["passes"] > 0'

echo "== put and get"
expect 3 get a/b
expect 3 get a/b --json
json 'it["found"] is False and it["versions"] == []'
printf 'one\n' >"$work/one"
printf 'two\000\377' >"$work/two"
expect 0 put a/b "$work/one"
first=$(cat "$work/out")
expect 0 get a/b
grep -q '^one$' "$work/out" || fail "the content is not shown"
grep -q "^context $first\$" "$work/out" || fail "get does not show the context that put printed"
expect 0 get a/b --raw
cmp "$work/out" "$work/one"
ctl put a/b --json <"$work/two" >"$work/out" || fail "put from standard input"
json 'it["versions"] == 2'
expect 0 get a/b --json
json '[v["number"] for v in it["versions"]] == [1, 2]'
json '[base64.b64decode(v["base64"]) for v in it["versions"]] == [b"one\n", b"two\0\377"]'
json '"utf8" in it["versions"][0] and "utf8" not in it["versions"][1]'
json 'all(v["sha256"] == hashlib.sha256(base64.b64decode(v["base64"])).hexdigest() for v in it["versions"])'
expect 0 get a/b --raw
cmp "$work/out" "$work/two"
expect 0 get a/b --raw --version 1
cmp "$work/out" "$work/one"
expect 0 get a/b --version 1 --json
json 'len(it["versions"]) == 1 and it["versions"][0]["number"] == 1'
expect 3 get a/b --version 3

echo "== contexts"
printf 'three' >"$work/three"
expect 0 put a/b "$work/three" --context "$first" --sync
both=$(cat "$work/out")
expect 0 get a/b --json
json 'len(it["versions"]) == 2'
expect 0 put a/b "$work/three" --context "$both" --w 1
expect 0 get a/b --json --r 1
json 'len(it["versions"]) == 1 and it["versions"][0]["utf8"] == "three"'
expect 2 put a/b "$work/three" --context nonsense
expect 2 put a/b "$work/three" --context "${both}A"

echo "== directories and listings"
expect 0 ls a
grep -q ' b$' "$work/out" || fail "the file is not listed"
expect 0 ls --json
json '[r["name"] for r in it["rows"]] == ["a"] and it["rows"][0]["type"] == "directory"'
expect 0 put empty/
expect 0 ls empty
test ! -s "$work/out" || fail "an empty directory lists something"
expect 3 ls missing
expect 3 ls missing --json
json 'it["found"] is False'
strange=$(printf 'x"\\\001\303\251\342\202\254')
foreign=$(printf 'y\377\200')
expect 0 put "strange/$strange" "$work/one"
expect 0 put "strange/$foreign" "$work/one"
expect 0 ls strange --json
json 'it["rows"][0]["name"] == "x\"\\\x01\u00e9\u20ac" and "name_base64" not in it["rows"][0]'
json 'it["rows"][1]["name"] == "y\ufffd\ufffd" and base64.b64decode(it["rows"][1]["name_base64"]) == b"y\xff\x80"'
expect 0 ls strange
grep -q 'y\\xff\\x80$' "$work/out" || fail "foreign bytes reach the terminal"
expect 0 get "strange/$foreign" --json
json 'it["key"] == "strange/y\ufffd\ufffd"'
i=0
while [ $i -lt 40 ]; do
    printf '%d' $i | ctl put "many/$i" >/dev/null || fail "put many/$i"
    i=$((i + 1))
done
expect 0 ls many --json
json 'sorted(int(r["name"]) for r in it["rows"]) == list(range(40))'

echo "== delete"
expect 2 delete a/b
expect 2 delete a/b --all --context "$both"
expect 0 put a/b "$work/one"
expect 0 delete a/b --context "$both"
expect 0 get a/b --json
json '"one\n" in [v["utf8"] for v in it["versions"]]'
expect 0 delete a/b --all --json
json 'it["versions"] == 0'
expect 3 get a/b
expect 3 delete a/b --all
expect 0 ls a --json
json 'it["rows"] == []'

echo "== fsck"
"$make_large" "$address" f/large 3 >"$work/large" || fail "no large file"
"$make_large" "$address" f/other 2 >/dev/null || fail "no large file"
set=$(sed -n 1p "$work/large")
expect 0 fsck
grep -q ' 0 wrong, 0 repaired' "$work/out" || fail "a whole tree is not found to be whole"
expect 0 fsck f/large --json
json 'it["clean"] and it["complete"] and it["blocks"] == 3 and it["findings"] == []'
expect 3 fsck nowhere
block=/$set/00000000/$(sed -n 3p "$work/large")
"$make_large" "$address" "$block" spoil || fail "the block cannot be spoilt"
expect 1 fsck --repair f/large
grep -q 'no copy is right' "$work/out" || fail "a block with other content passes"
"$make_large" "$address" "$block" delete || fail "the block cannot be deleted"
expect 1 fsck
grep -q '^f/large: 1 blocks: of its blocks no copy is right, the first at byte 262144$' \
    "$work/out" || fail "the block that is gone is not named: $(cat "$work/out")"
expect 1 fsck f --json
json 'it["found"]["blocks"] == 1 and it["findings"][0]["key"] == "f/large" and not it["clean"]'
expect 0 fsck f/other
expect 0 delete f/large --all
expect 0 fsck
grep -q ', 2 blocks wait to be deleted$' "$work/out" || fail "no blocks wait: $(cat "$work/out")"
until test "$(ctl fsck --block-grace 1 2>/dev/null | grep -c "^block set $set: 2 blocks: ")" = 1; do
    sleep 1
done
expect 1 fsck --block-grace 1 --json
json 'it["found"]["unnamed"] == 1 and it["findings"][0]["set"] == "'"$set"'"'
expect 0 fsck --block-grace 2592000

echo "== limits and mistakes"
head -c 1048576 /dev/zero >"$work/largest"
head -c 1048577 /dev/zero >"$work/larger"
expect 0 put large "$work/largest"
expect 0 get large --raw
cmp "$work/out" "$work/largest"
expect 1 put large "$work/larger"
expect 1 put large "$work/missing"
expect 1 put a//b "$work/one"
expect 1 get ../a
expect 2 put d/ "$work/one"
expect 2 get
expect 2 get a b
expect 2 frobnicate
expect 2 get --frobnicate a
expect 2 get a --timeout 0
expect 2 get a --r 9
expect 2 get a --version
expect 2 get a --json=yes
expect 2 hints a
expect 2 status --cluster nowhere
expect 2 status --cluster 127.0.0.1:70000
expect 2 status --cluster 127.0.0.1:7450,
expect 2 status --cluster a@b:7450
grep -q 'a@b:7450: not of the form HOST:PORT' "$work/err" || fail "the address is not named"
expect 2 --frobnicate status
expect 2 get -x a
expect 2 get a --cluster
expect 2 hints --wait
expect 2 repair --timeout 0
expect 2 repair --timeout x
expect 2 fsck a b
expect 2 fsck --block-grace 0
expect 1 fsck a//b
for verb in status ring get put delete ls hints repair fsck; do
    expect 0 "$verb" --help
    grep -q "^usage: dynamoctl .*$verb" "$work/out" || fail "no help for $verb"
done

echo "== a node that is gone"
kill "$node"
wait "$node" || true
node=
expect 1 get a --timeout 2000
expect 1 status --timeout 2000
expect 1 hints --timeout 2000
expect 1 repair --wait --timeout 2
expect 4 fsck --timeout 2000
expect 1 put large "$work/one" --timeout 2000
echo "all well"
