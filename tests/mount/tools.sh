# tools.sh - ordinary programs on a mount at $mnt. To be sourced after lib.sh.

tree=$work/tree

# 1,200 files in 60 directories, all sizes from nothing to 1 MiB, some modes and times; once.
make_tree() {
    [ ! -d "$tree" ] || return 0
    python3 - "$tree" << 'PYTHON'
import os, random, sys

random.seed(1)
root = sys.argv[1]
sizes = [0, 1, 100, 4095, 4096, 4097, 20000]
for d in range(60):
    directory = os.path.join(root, f"d{d % 6}", f"e{d}")
    os.makedirs(directory)
    for f in range(20):
        path = os.path.join(directory, f"file{f}.txt")
        size = sizes[(d + f) % len(sizes)]
        if d == 0 and f == 0:
            size = 1 << 20
        with open(path, "wb") as out:
            out.write(random.randbytes(size))
        os.chmod(path, [0o644, 0o600, 0o755, 0o400][f % 4])
        os.utime(path, (1_000_000_000 + d, 1_100_000_000 + 60 * d + f))
    os.symlink("file1.txt", os.path.join(directory, "link"))
PYTHON
}

# What can be told of a tree without reading the files.
listing() {
    (cd "$1" && find . -type f -printf '%P %s %m %T@\n' -o -type l -printf '%P -> %l\n' | sort)
}

test_tools_tar() {
    make_tree
    tar -C "$tree" -cf "$work/tree.tar" .
    mkdir "$mnt/tar"
    good tar -C "$mnt/tar" -xf "$work/tree.tar"
    good diff -r --no-dereference "$tree" "$mnt/tar"
    equal 1200 "$(find "$mnt/tar" -type f | wc -l)" "files"
    listing "$tree" > "$work/expected"
    listing "$mnt/tar" > "$work/got"
    good diff "$work/expected" "$work/got"
}

test_tools_find_and_grep() {
    equal 60 "$(find "$mnt/tar" -name 'file7.txt' | wc -l)" "found by name"
    equal 60 "$(find "$mnt/tar" -type l | wc -l)" "found links"
    mkdir "$mnt/grep"
    for i in 1 2 3 4 5; do
        echo "a needle and hay $i" > "$mnt/grep/$i"
        echo "only hay" > "$mnt/grep/no$i"
    done
    equal "1 2 3 4 5" "$(cd "$mnt/grep" && grep -rl needle . | sed 's,./,,' | sort | paste -s -d ' ')"
}

test_tools_cp_and_rm() {
    make_tree
    good cp -a "$tree" "$mnt/copy"
    good diff -r --no-dereference "$tree" "$mnt/copy"
    listing "$tree" > "$work/expected"
    listing "$mnt/copy" > "$work/got"
    good diff "$work/expected" "$work/got"
    good rm -r "$mnt/copy"
    [ ! -e "$mnt/copy" ] || fail "copy is still there"
}

test_tools_rsync() {
    make_tree
    good rsync -a "$tree/d1/" "$mnt/rsync/"
    good diff -r --no-dereference "$tree/d1" "$mnt/rsync"
    equal "" "$(rsync -a --itemize-changes "$tree/d1/" "$mnt/rsync/")" "copied again"
    equal "Number of regular files transferred: 0" \
        "$(rsync -a --stats "$tree/d1/" "$mnt/rsync/" | grep transferred:)"
    echo changed >> "$mnt/rsync/e1/file0.txt"
    equal 1 "$(rsync -a --itemize-changes "$tree/d1/" "$mnt/rsync/" | grep -c '^>f')" "changed"
}

test_tools_make() {
    mkdir "$mnt/project"
    (
        cd "$mnt/project"
        for i in 1 2 3 4 5 6 7 8; do
            echo "int part$i(void);" > "part$i.h"
            printf '#include "part%s.h"\nint part%s(void) { return %s; }\n' "$i" "$i" "$i" \
                > "part$i.c"
        done
        {
            for i in 1 2 3 4 5 6 7 8; do
                echo "#include \"part$i.h\""
            done
            echo '#include <stdio.h>'
            echo 'int main(void) { printf("%d\n",'
            echo 'part1() + part2() + part3() + part4() + part5() + part6() + part7() + part8());'
            echo 'return 0; }'
        } > main.c
        printf 'OBJECTS = main.o %s\nprogram: $(OBJECTS)\n\tcc -o $@ $^\n%%.o: %%.c\n\tcc -c $<\n' \
            'part1.o part2.o part3.o part4.o part5.o part6.o part7.o part8.o' > Makefile
    )
    good make -C "$mnt/project" -j2
    equal 36 "$("$mnt/project/program")"
    good make -C "$mnt/project" -q
    touch "$mnt/project/part3.c"
    bad "" make -C "$mnt/project" -q
    good make -C "$mnt/project"
}

test_tools_git() {
    local git="git -c user.name=me -c user.email=me@example.org -c init.defaultBranch=main"
    export GIT_CONFIG_NOSYSTEM=1
    good $git init "$mnt/repository"
    cp -r "$tree/d2/." "$mnt/repository/"
    good $git -C "$mnt/repository" add .
    good $git -C "$mnt/repository" commit -m "one"
    echo more > "$mnt/repository/more"
    good $git -C "$mnt/repository" add more
    good $git -C "$mnt/repository" commit -m "two"
    equal "" "$($git -C "$mnt/repository" status --porcelain)" "status"
    good $git clone "$mnt/repository" "$mnt/clone"
    good $git -C "$mnt/clone" fsck --full --strict
    good $git -C "$mnt/repository" gc
    good $git -C "$mnt/repository" fsck --full --strict
    equal 2 "$($git -C "$mnt/clone" log --oneline | wc -l)" "commits"
    good diff -r --no-dereference -x .git "$mnt/repository" "$mnt/clone"
}

test_tools_editors() {
    mkdir "$mnt/edit"
    printf 'one\ntwo\nthree\n' > "$mnt/edit/text"
    good vim -es -u NONE -c '%s/two/TWO/' -c wq "$mnt/edit/text"
    equal "one TWO three" "$(paste -s -d ' ' "$mnt/edit/text")"
    good sed -i 's/one/ONE/' "$mnt/edit/text"
    equal "ONE TWO three" "$(paste -s -d ' ' "$mnt/edit/text")"
    shows "$mnt/edit" text
}

test_posix_links_modes_times() {
    mkdir "$mnt/posix"
    cd "$mnt/posix"
    echo content > file
    ln -s file link
    equal file "$(readlink link)"
    holds link content
    ln -s nowhere dangling
    bad "No such file" cat dangling
    bad "" ln file hard
    chmod 4751 file
    equal 4751 "$(stat -c %a file)"
    touch -d '2001-02-03 04:05:06.789' file
    equal "2001-02-03 04:05:06.789000000 +0000" "$(stat -c %y file)"
    chown 12:34 file
    equal 12:34 "$(stat -c %u:%g file)"
    holds file content
    mkdir -m 700 directory
    equal 700 "$(stat -c %a directory)"
    touch -d '2002-01-01 00:00:00' directory
    equal "2002-01-01 00:00:00.000000000 +0000" "$(stat -c %y directory)"
    cd /
}

test_posix_writes() {
    mkdir "$mnt/writes"
    cd "$mnt/writes"
    echo one > file
    echo two >> file
    holds file "$(printf 'one\ntwo')"
    truncate -s 5 file
    equal 5 "$(stat -c %s file)"
    truncate -s 100 file
    equal 100 "$(wc -c < file)"
    printf X | dd of=file bs=1 seek=50 conv=notrunc status=none
    equal X "$(dd if=file bs=1 skip=50 count=1 status=none)"
    equal 100 "$(stat -c %s file)"
    : > file
    equal 0 "$(stat -c %s file)"
    echo new > other
    mv other file
    holds file new
    shows . file
    python3 - << 'PYTHON'
import mmap, os

with open("mapped", "wb") as f:
    f.write(b"0123456789" * 1000)
with open("mapped", "rb") as f:
    with mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        assert m[9990:] == b"0123456789"
fd = os.open("append", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
other = os.open("append", os.O_WRONLY | os.O_APPEND)
for i in range(50):
    os.write(fd, b"a")
    os.write(other, b"b")
os.close(fd)
os.close(other)
assert open("append", "rb").read() == b"ab" * 50, open("append", "rb").read()
fd = os.open("synced", os.O_WRONLY | os.O_CREAT)
os.write(fd, b"x")
os.fsync(fd)
os.fdatasync(fd)
os.close(fd)
PYTHON
    cd /
}

test_posix_open_files() {
    mkdir "$mnt/open"
    cd "$mnt/open"
    echo kept > file
    exec 3< file
    rm file
    equal kept "$(cat <&3)" "unlinked file"
    exec 3<&-
    shows .
    exec 3> file
    echo first >&3
    mv file moved
    echo second >&3
    exec 3>&-
    holds moved "$(printf 'first\nsecond')"
    shows . moved
    exec 3> gone
    rm gone
    echo lost >&3
    exec 3>&-
    shows . moved
    cd /
}

test_posix_directories() {
    mkdir -p "$mnt/directories/a/b/c"
    cd "$mnt/directories"
    echo deep > a/b/c/file
    bad "not empty" rmdir a
    mv a z
    holds z/b/c/file deep
    shows . z
    bad "Is a directory" rm z
    mkdir many
    (cd many && seq -f 'name%05g' 1 2000 | xargs touch)
    equal 2000 "$(ls many | wc -l)" "names"
    equal 2000 "$(ls many | sort -u | wc -l)" "different names"
    rm -r many
    shows . z
    cd /
}

test_posix_names() {
    local long
    mkdir "$mnt/names"
    cd "$mnt/names"
    long=$(printf 'n%.0s' $(seq 255))
    equal 255 "$(stat -f -c %l .)" "longest name"
    echo long > "$long"
    holds "$long" long
    bad "File name too long" touch "${long}n"
    rm "$long"
    python3 - << 'PYTHON'
import os

names = [bytes([b]) + b" odd" for b in range(1, 256) if b != 0x2F]
names += [b"new\nline", b"*", b"-rf", b" ", b"...", b"\xff\xfe", "h\u00e9".encode()]
for name in names:
    with open(name, "wb") as f:
        f.write(name)
assert sorted(os.listdir(b".")) == sorted(names)
for name in names:
    with open(name, "rb") as f:
        assert f.read() == name, name
    os.unlink(name)
assert os.listdir(b".") == []
PYTHON
    cd /
}

test_posix_limits() {
    mkdir "$mnt/limits"
    cd "$mnt/limits"
    head -c 1048576 /dev/urandom > "$work/mebibyte"
    good cp "$work/mebibyte" fits
    good cmp "$work/mebibyte" fits
    (cat "$work/mebibyte" && echo) > "$work/more"
    good cp "$work/more" more
    good cmp "$work/more" more
    bad "File too large" truncate -s 1099511627777 fits
    good cmp "$work/mebibyte" fits
    cd /
}

test_posix_extended_attributes() {
    cd "$mnt"
    echo x > attributed
    good setfattr -n user.colour -v red attributed
    equal red "$(getfattr --only-values -n user.colour attributed)"
    good setfattr -n user.colour -v blue attributed
    equal blue "$(getfattr --only-values -n user.colour attributed)"
    echo y > attributed
    equal blue "$(getfattr --only-values -n user.colour attributed)" "after a write"
    good setfattr -x user.colour attributed
    bad "No such attribute" getfattr -n user.colour attributed
    for name in clock siblings replicas context; do
        good getfattr --only-values -n user.dynamofs.$name attributed
        bad "" setfattr -n user.dynamofs.$name -v x attributed
    done
    equal 1 "$(getfattr --only-values -n user.dynamofs.siblings attributed)"
    cd /
}

test_four_writers_at_once() {
    local pids= pid i
    mkdir "$mnt/parallel"
    for i in 1 2 3 4; do
        (
            for j in $(seq 50); do
                echo "$i $j" > "$mnt/parallel/$i-$j" || exit 1
                echo "$i $j" > "$mnt/parallel/own-$i" || exit 1
                [ "$(cat "$mnt/parallel/own-$i")" = "$i $j" ] || exit 1
            done
        ) &
        pids="$pids $!"
    done
    for pid in $pids; do
        wait "$pid" || fail "a writer failed"
    done
    equal 204 "$(ls "$mnt/parallel" | wc -l)" "files"
    equal 200 "$(cat "$mnt"/parallel/[1-4]-* | sort -u | wc -l)" "contents"
}

test_everything_removed() {
    good rm -r "$mnt"/*
    shows "$mnt"
}
