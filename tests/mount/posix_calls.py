#!/usr/bin/env python3
"""posix_calls.py - one behaviour of system calls each (docs/posix.md), by name, on a real mount.

usage: posix_calls.py NAME DIRECTORY OTHER

DIRECTORY is on one mount, and fresh; OTHER is the same directory on another mount. A function that
returns has passed. What needs root, to be somebody else, is left out for others.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import subprocess
import sys
import tempfile
import time

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
NOBODY = 65534
NEED_ROOT = ("set_user_id_is_cleared", "permissions_and_sticky_bit")
NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


def fails(number, call, *arguments, **words):
    try:
        call(*arguments, **words)
    except OSError as error:
        assert error.errno == number, f"{error}, not {errno.errorcode[number]}"
        return
    raise AssertionError(f"succeeded, should give {errno.errorcode[number]}: {call} {arguments}")


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def as_user(user, call, *arguments):
    """Calls as another user, in a process of its own; the errno it ended with, or 0."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            call(*arguments)
            os._exit(0)
        except OSError as error:
            os._exit(error.errno)
        except BaseException:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def renameat2(old, new, flags):
    checked(LIBC.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags))


def utimensat(path, accessed, modified, flags=0):
    """Each time is (seconds, nanoseconds)."""
    times = (ctypes.c_long * 4)(*accessed, *modified)
    checked(LIBC.utimensat(AT_FDCWD, path.encode(), times, flags))


# --- rename ------------------------------------------------------------------------------------


def rename_flags(other):
    write("a", "a")
    write("b", "b")
    fails(errno.EEXIST, renameat2, "a", "b", NOREPLACE)
    os.mkdir("d")
    fails(errno.EEXIST, renameat2, "a", "d", NOREPLACE)
    fails(errno.EEXIST, renameat2, "a", "a", NOREPLACE)
    fails(errno.EINVAL, renameat2, "a", "b", EXCHANGE)
    fails(errno.EINVAL, renameat2, "a", "c", WHITEOUT)
    fails(errno.EINVAL, renameat2, "a", "c", NOREPLACE | EXCHANGE)
    fails(errno.EINVAL, renameat2, "a", "c", 1 << 7)
    assert sorted(os.listdir(".")) == ["a", "b", "d"]
    assert (read("a"), read("b")) == ("a", "b")
    renameat2("a", "c", NOREPLACE)
    assert sorted(os.listdir(other)) == ["b", "c", "d"]


def rename_kinds(other):
    write("file", "file")
    os.mkdir("empty")
    os.makedirs("full/inside")
    os.symlink("file", "link")
    fails(errno.EISDIR, os.rename, "file", "empty")
    fails(errno.ENOTDIR, os.rename, "empty", "file")
    fails(errno.ENOTDIR, os.rename, "empty", "link")
    fails(errno.ENOTEMPTY, os.rename, "empty", "full")
    fails(errno.EINVAL, os.rename, "full", "full/inside/more")
    fails(errno.ENOENT, os.rename, "nothing", "file")
    fails(errno.ENOENT, os.rename, "file", "nothing/file")
    fails(errno.ENOTDIR, os.rename, "file", "link/file")
    fails(errno.EBUSY, os.rename, "empty", ".")
    os.rename("full", "empty")
    os.rename("file", "link")
    os.rename("link", "link")
    assert not os.path.islink("link") and read(os.path.join(other, "link")) == "file"
    assert sorted(os.listdir(other)) == ["empty", "link"]
    assert os.listdir(os.path.join(other, "empty")) == ["inside"]


# --- open --------------------------------------------------------------------------------------


def open_flags(other):
    write("file", "content")
    os.mkdir("directory")
    os.symlink("file", "link")
    os.symlink("loop", "loop")
    fails(errno.EEXIST, os.open, "file", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    fails(errno.EEXIST, os.open, "link", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    fails(errno.ENOTDIR, os.open, "file", os.O_DIRECTORY)
    fails(errno.ELOOP, os.open, "link", os.O_NOFOLLOW)
    fails(errno.ELOOP, os.open, "loop", os.O_RDONLY)
    fails(errno.EISDIR, os.open, "directory", os.O_WRONLY)
    fails(errno.EISDIR, os.open, "directory", os.O_CREAT)
    fails(errno.ENOTDIR, os.open, "file/below", os.O_CREAT | os.O_WRONLY)
    fails(errno.ENOENT, os.open, "nothing", os.O_RDWR)
    fails(errno.EOPNOTSUPP, os.open, ".", os.O_TMPFILE | os.O_RDWR)
    os.close(os.open(".", os.O_DIRECTORY))
    path = os.open("link", os.O_PATH | os.O_NOFOLLOW)
    assert stat.S_ISLNK(os.fstat(path).st_mode)
    os.close(path)
    with tempfile.TemporaryFile(dir=".") as file:  # which does without O_TMPFILE
        file.write(b"x")
    os.close(os.open("file", os.O_WRONLY | os.O_TRUNC))
    assert read("file") == ""
    assert os.path.getsize(os.path.join(other, "file")) == 0


def open_append(other):
    one = os.open("file", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    two = os.open("file", os.O_WRONLY | os.O_APPEND)
    for _ in range(50):
        os.write(one, b"one\n")
        os.write(two, b"two\n")
    assert os.pread(os.open("file", os.O_RDONLY), 8, 392) == b"one\ntwo\n"
    os.close(one)
    os.close(two)
    assert read(os.path.join(other, "file")) == "one\ntwo\n" * 50


def open_synchronous(other):
    room = mmap.mmap(-1, 4096)  # aligned, as O_DIRECT asks for
    for number, flag in enumerate((os.O_NOATIME, os.O_NONBLOCK, os.O_DIRECT)):
        file = os.open("file", os.O_CREAT | os.O_RDWR | os.O_TRUNC | flag, 0o600)
        room[:] = bytes([number + 1]) * 4096
        assert os.writev(file, [room]) == 4096
        os.close(file)
        with open(os.path.join(other, "file"), "rb") as copy:
            assert copy.read() == room[:]
    # What is written to these is on the cluster when write(2) returns.
    for number, flag in enumerate((os.O_SYNC, os.O_DSYNC, os.O_SYNC | os.O_DIRECT)):
        file = os.open("file", os.O_RDWR | flag)
        room[:] = bytes([number + 11]) * 4096
        assert os.writev(file, [room]) == 4096
        with open(os.path.join(other, "file"), "rb") as copy:
            assert copy.read() == room[:], flag
        os.close(file)


# --- what is open ------------------------------------------------------------------------------


def unlinked_open_file(other):
    file = os.open("file", os.O_CREAT | os.O_RDWR, 0o640)
    os.write(file, b"before")
    os.fsync(file)
    os.unlink("file")
    assert os.listdir(".") == [] == os.listdir(other)
    assert os.fstat(file).st_nlink == 0
    os.pwrite(file, b"after", 3)
    os.ftruncate(file, 7)
    os.fchmod(file, 0o600)
    assert os.pread(file, 99, 0) == b"befafte"
    assert (os.fstat(file).st_size, os.fstat(file).st_mode & 0o777) == (7, 0o600)
    write("file", "another")
    os.fsync(file)
    os.close(file)
    assert read("file") == "another" == read(os.path.join(other, "file"))
    replaced = os.open("file", os.O_RDONLY)
    write("new", "third")
    os.rename("new", "file")
    assert os.read(replaced, 99) == b"another" and os.fstat(replaced).st_nlink == 0
    os.close(replaced)


def shared_mappings(other):
    size = 3 * mmap.PAGESIZE + 100
    file = os.open("file", os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(file, size)
    view = mmap.mmap(file, size)
    view[5:10] = b"first"
    view[size - 4 :] = b"last"
    assert os.pread(file, 5, 5) == b"first"
    os.pwrite(file, b"written", mmap.PAGESIZE)
    assert view[mmap.PAGESIZE :][:7] == b"written"
    child = os.fork()
    if child == 0:
        view[20:25] = b"child"
        os._exit(0)
    os.waitpid(child, 0)
    assert view[20:25] == b"child"
    view.flush()  # msync(MS_SYNC)
    os.fsync(file)
    with open(os.path.join(other, "file"), "rb") as copy:
        content = copy.read()
    assert len(content) == size and content[5:10] == b"first" and content[-4:] == b"last"
    os.close(file)
    view[30:40] = b"afterclose"
    view.close()
    end = time.monotonic() + 60  # the kernel tells nobody when it has let the file go
    while read(os.path.join(other, "file"))[30:40] != "afterclose":
        assert time.monotonic() < end, "what was written after close is not there"
        time.sleep(0.05)


def allocated_and_sought(other):
    file = os.open("file", os.O_CREAT | os.O_RDWR, 0o600)

    def allocate(mode, offset, length):
        checked(LIBC.fallocate(file, mode, ctypes.c_long(offset), ctypes.c_long(length)))

    keep, punch, collapse, zero, insert = 1, 2, 8, 16, 32
    os.write(file, b"x" * 1000)
    allocate(keep, 0, 5000)
    assert os.fstat(file).st_size == 1000
    allocate(0, 0, 5000)
    assert os.fstat(file).st_size == 5000
    allocate(punch | keep, 10, 20)
    allocate(zero, 4990, 20)
    allocate(zero | keep, 100, 1)
    content = b"x" * 10 + bytes(20) + b"x" * 70 + b"\0" + b"x" * 899 + bytes(4010)
    assert os.pread(file, 9999, 0) == content
    for mode in (collapse, insert):
        fails(errno.EOPNOTSUPP, allocate, mode, 0, 4096)
    fails(errno.EOPNOTSUPP, allocate, punch, 0, 4096)  # without "keep"
    fails(errno.EINVAL, allocate, 0, 0, 0)
    fails(errno.EFBIG, os.ftruncate, file, (1 << 40) + 1)
    assert os.lseek(file, 5, os.SEEK_DATA) == 5
    assert os.lseek(file, 0, os.SEEK_HOLE) <= 5010
    fails(errno.ENXIO, os.lseek, file, 5010, os.SEEK_DATA)
    fails(errno.ENXIO, os.lseek, file, 5010, os.SEEK_HOLE)
    fails(errno.EINVAL, os.lseek, file, -1, os.SEEK_SET)
    os.ftruncate(file, 2000)
    os.ftruncate(file, 3000)
    os.close(file)
    with open(os.path.join(other, "file"), "rb") as copy:
        assert copy.read() == content[:2000] + bytes(1000)


def locks_between_processes(other):
    write("file", "x" * 100)
    mine = os.open("file", os.O_RDWR)
    ask = (
        "import fcntl, os, sys\n"
        "file = os.open('file', os.O_RDWR)\n"
        "try:\n"
        "    {}\n"
        "except OSError:\n"
        "    sys.exit(1)\n"
    )

    def can(call):
        code = ask.format(call)
        return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    exclusive = "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    shared = "fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)"
    fcntl.flock(mine, fcntl.LOCK_SH)
    assert can(shared) and not can(exclusive)
    fcntl.flock(mine, fcntl.LOCK_EX)
    assert not can(shared)
    fcntl.flock(mine, fcntl.LOCK_UN)
    assert can(exclusive)

    whole = "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    inside = "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 15)"
    beside = "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 30)"
    fcntl.lockf(mine, fcntl.LOCK_EX, 10, 10)
    assert can(beside) and not can(inside) and not can(whole)
    os.close(os.open("file", os.O_RDONLY))  # which drops the process' locks, as POSIX wants
    assert can(whole)

    kind = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    fcntl.fcntl(mine, 37, kind)  # F_OFD_SETLK
    assert not can(whole)
    os.close(mine)
    assert can(whole)


# --- attributes --------------------------------------------------------------------------------


def times_now_and_omit(other):
    old = (1_000_000_000, 123_456_789)
    write("file", "x")
    os.symlink("file", "link")
    os.mkdir("directory")
    for path in ("file", "directory"):
        utimensat(path, old, old)
        got = os.stat(path)
        assert (got.st_atime_ns, got.st_mtime_ns) == (1_000_000_000_123_456_789,) * 2
        before = time.time_ns()
        utimensat(path, (0, UTIME_OMIT), (0, UTIME_NOW))
        got = os.stat(path)
        assert got.st_atime_ns == 1_000_000_000_123_456_789
        assert before - 10**9 <= got.st_mtime_ns <= time.time_ns() + 10**9
        assert before - 10**9 <= got.st_ctime_ns
        utimensat(path, (7, 7), (0, UTIME_OMIT))
        assert os.stat(path).st_atime_ns == 7_000_000_007
        assert os.stat(path).st_mtime_ns == got.st_mtime_ns
        there = os.stat(os.path.join(other, path))
        assert (there.st_atime_ns, there.st_mtime_ns) == (7_000_000_007, got.st_mtime_ns)
        ctime = os.stat(path).st_ctime_ns
        utimensat(path, (0, UTIME_OMIT), (0, UTIME_OMIT))
        assert os.stat(path).st_ctime_ns == ctime
        fails(errno.EINVAL, utimensat, path, (0, 10**9), (0, 0))
    utimensat("link", (5, 5), (6, 6), 0x100)  # AT_SYMLINK_NOFOLLOW
    assert os.lstat("link").st_mtime_ns == 6_000_000_006
    assert os.stat("file").st_mtime_ns != 6_000_000_006
    utimensat("file", (-5, 0), (1 << 33, 0))
    assert (os.stat("file").st_atime, os.stat("file").st_mtime) == (-5, 1 << 33)


def set_user_id_is_cleared(other):
    def fresh(owner=NOBODY):
        write("file", "x")
        os.chown("file", owner, owner)
        os.chmod("file", 0o6777)
        assert os.stat("file").st_mode & 0o7777 == 0o6777

    def mode_now():
        assert os.stat("file").st_mode == os.stat(os.path.join(other, "file")).st_mode
        return os.stat("file").st_mode & 0o7777

    def append():
        with open("file", "a") as file:
            file.write("more")

    fresh()
    assert as_user(NOBODY, append) == 0
    assert mode_now() == 0o777, oct(mode_now())
    fresh()
    assert as_user(NOBODY, os.truncate, "file", 0) == 0
    assert mode_now() == 0o777, oct(mode_now())
    fresh()
    assert as_user(NOBODY, os.chown, "file", NOBODY, NOBODY) == 0
    assert mode_now() == 0o777, oct(mode_now())
    fresh()
    assert as_user(NOBODY - 1, append) == 0
    assert mode_now() == 0o777, oct(mode_now())
    fresh()
    append()  # root may
    assert mode_now() == 0o6777
    fresh(0)
    os.chmod("file", 0o2770)
    os.chown("file", 0, NOBODY)
    assert mode_now() == 0o770, oct(mode_now())


def permissions_and_sticky_bit(other):
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    os.mkdir("closed", 0o711)
    for path in ("sticky/file", "closed/file"):
        write(path, "x")
        os.chmod(path, 0o666)
    assert as_user(NOBODY, os.unlink, "sticky/file") == errno.EPERM
    assert as_user(NOBODY, os.rename, "sticky/file", "sticky/moved") == errno.EPERM
    assert as_user(NOBODY, write, "sticky/own", "x") == 0
    assert as_user(NOBODY, os.rename, "sticky/own", "sticky/file") == errno.EPERM
    assert as_user(NOBODY - 1, os.unlink, "sticky/own") == errno.EPERM
    assert as_user(NOBODY, os.unlink, "sticky/own") == 0
    assert as_user(NOBODY, write, "closed/file", "y") == 0
    assert as_user(NOBODY, write, "closed/new", "y") == errno.EACCES
    assert as_user(NOBODY, os.listdir, "closed") == errno.EACCES
    assert as_user(NOBODY, os.unlink, "closed/file") == errno.EACCES
    os.chmod("closed/file", 0o600)
    assert as_user(NOBODY, read, "closed/file") == errno.EACCES
    assert as_user(NOBODY, os.chmod, "sticky/file", 0o777) == errno.EPERM
    assert as_user(NOBODY, os.chown, "sticky/file", NOBODY, -1) == errno.EPERM
    assert as_user(NOBODY, os.utime, "sticky/file", (1, 1)) == errno.EPERM
    assert as_user(NOBODY, os.utime, "sticky/file") == 0
    assert as_user(NOBODY, os.mknod, "sticky/disk", stat.S_IFBLK | 0o600, 0x801) == errno.EPERM
    assert as_user(NOBODY, os.mkfifo, "sticky/fifo") == 0


def access_lists_are_refused(other):
    write("file", "x")
    entries = ((1, 6), (2, 6, NOBODY), (4, 4), (16, 6), (32, 4))  # the owner, a user, ...
    access = b"\x02\0\0\0" + b"".join(
        struct.pack("<HHI", *entry, *([0xFFFFFFFF] * (3 - len(entry)))) for entry in entries
    )
    for name in ("system.posix_acl_access", "system.posix_acl_default"):
        fails(errno.EOPNOTSUPP, os.setxattr, ".", name, access)
        fails(errno.EOPNOTSUPP, os.getxattr, ".", name)
    assert os.listxattr("file") == []


def hard_links_are_refused(other):
    write("file", "x")
    fails(errno.EPERM, os.link, "file", "link")
    file = os.open("file", os.O_RDONLY)
    opened = f"/proc/self/fd/{file}".encode()
    fails(
        errno.EPERM, lambda: checked(LIBC.linkat(AT_FDCWD, opened, AT_FDCWD, b"link", 0x400))
    )
    os.close(file)
    assert os.listdir(".") == ["file"] and os.stat("file").st_nlink == 1


def directories_that_are_removed(other):
    os.mkdir("d")
    file = os.open("d", os.O_RDONLY)
    fails(errno.EINVAL, os.rmdir, "d/.")
    write("d/x", "x")
    fails(errno.ENOTEMPTY, os.rmdir, "d")
    fails(errno.ENOTDIR, os.rmdir, "d/x")
    fails(errno.EISDIR, os.unlink, "d")
    os.unlink("d/x")
    os.rmdir("d")
    assert os.fstat(file).st_nlink == 0
    fails(errno.ENOENT, os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=file)
    fails(errno.ENOENT, os.mkdir, "x", dir_fd=file)
    assert os.listdir(file) == []
    os.close(file)


def subdirectories_are_found(other):
    for i in range(5):
        os.makedirs(f"d/{i}/below")
    assert os.stat("d").st_nlink == 1  # not counted: what looks for directories looks at all
    found = subprocess.run(["find", "d", "-type", "d"], capture_output=True, check=True).stdout
    assert found.count(b"\n") == 11, found
    os.rename("d/0", "d/1/0")
    found = subprocess.run(["find", other, "-name", "below"], capture_output=True, check=True)
    assert found.stdout.count(b"\n") == 5, found


def main():
    name, directory, other = sys.argv[1:]
    if name in NEED_ROOT and os.getuid() != 0:
        print(f"        (only root can test {name})")
        return
    os.umask(0o022)
    os.chdir(directory)
    globals()[name](other)


if __name__ == "__main__":
    main()
