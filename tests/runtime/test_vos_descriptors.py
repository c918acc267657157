"""A program's own streams and devices, by their names in /dev."""

import pytest
from vosworld import kernel, on, sh

from cluster.aio import virtual

SCRIPTS = [
    ("echo hi | cat /dev/stdin", "hi\n"),
    ("echo hi | cat /dev/fd/0", "hi\n"),
    ("echo hi | cat /proc/self/fd/0", "hi\n"),
    ("echo hi | tee /dev/stdout", "hi\nhi\n"),
    ("echo hi | cp /dev/stdin /f; cat /f; cp /f /dev/stdout", "hi\nhi\n"),
    ("echo hi | dd of=/dev/stdout 2>/dev/null", "hi\n"),
    ("echo hi | dd if=/dev/stdin of=/f 2>/dev/null; cat /f", "hi\n"),
    ("ln -s /dev/stdout /log; echo hi | tee /log >/dev/null; echo hi | tee /log", "hi\nhi\n"),
    ("cat /dev/zero | head -c 5 | wc -c", "5\n"),
    ("cp /dev/null /f && wc -c </f", "0\n"),
    ("echo lost >/dev/null; echo lost | tee /dev/null >/dev/null; cat /dev/null; du -s /dev/null",
     "0\t/dev/null\n"),
    ("head -n 1 /dev/urandom >/dev/null && echo ok", "ok\n"),
    ("od -An -N4 -tx1 /dev/zero", " 00 00 00 00\n"),
    ("hexdump -C /dev/zero | head -n 1",
     "00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"),
    ("od -An -N8 -tx1 /dev/urandom | wc -c", "25\n"),
    ("tr -dc a-z0-9 </dev/urandom | fold -w 8 | head -n 1 | wc -c", "9\n"),
    ("ls -ld /dev/shm | cut -c 1-10; echo x >/dev/shm/f && cat /dev/shm/f", "drwxrwxrwt\nx\n"),
    ("[ -c /dev/null ] && [ ! -f /dev/null ] && [ -e /dev/tty ] && echo yes", "yes\n"),
    ("ls -l /dev/null | cut -c 1-10", "crw-rw-rw-\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), SCRIPTS)
def test_programs_know_streams_and_devices_by_name(script: str, out: str) -> None:
    found = sh(script)
    assert (found.out, found.err) == (out, "")


REFUSED = [
    ("echo x >/dev/full", "sh: write error: No space left on device\n"),
    ("echo x | tee /dev/full >/dev/null", "tee: /dev/full: No space left on device\n"),
    ("cat /dev/tty", "cat: can't open '/dev/tty': No such device or address\n"),
    ("cat /dev/fd/9", "cat: can't open '/dev/fd/9': No such file or directory\n"),
]


@pytest.mark.parametrize(("script", "err"), REFUSED)
def test_what_a_device_refuses_is_told(script: str, err: str) -> None:
    found = sh(script)
    assert (found.out, found.err, found.code) == ("", err, 1)


def test_stderr_is_reached_by_its_name() -> None:
    found = sh("echo hi | tee /dev/stderr >/dev/null; echo on >/dev/stderr")
    assert (found.out, found.err) == ("", "hi\non\n")


def test_random_bytes_are_the_same_in_each_run_and_others_each_time() -> None:
    script = "head -c 6 /dev/urandom | od -An -tx1; head -c 6 </dev/urandom | od -An -tx1"
    first, second = sh(script).out.splitlines()
    assert first != second
    assert sh(script).out.splitlines() == [first, second]


def test_copying_zeros_ends_where_the_disk_is_full() -> None:
    async def main() -> tuple[int, str]:
        found = await on(kernel(), "cp", "/dev/zero", "/f")
        return found.code, found.err

    assert virtual.run(main()) == (1, "cp: can't copy '/f': No space left on device\n")


def test_devices_and_last_words_are_written_to_where_the_root_is_read_only() -> None:
    async def main() -> tuple[str, str]:
        target = kernel()
        target.files.readonly = True
        script = (
            "echo x | tee /dev/null; echo y >/dev/termination-log; cat /dev/termination-log; >/f"
        )
        found = await on(target, "sh", "-c", script)
        return found.out, found.err

    assert virtual.run(main()) == ("x\ny\n", "sh: can't create /f: Read-only file system\n")
