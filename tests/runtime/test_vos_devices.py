"""Devices that are read without end, and what tar tells of a member."""

import pytest
from vosworld import sh


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("head -c 5 /dev/zero | wc -c; head -c 3 </dev/zero | od -An -tx1", "5\n 00 00 00\n"),
        ("head -c 16 /dev/urandom | wc -c", "16\n"),
        ("a=$(head -c 9 /dev/urandom | base64); b=$(head -c 9 /dev/urandom | base64);"
         "[ $a != $b ] && echo ${#a}", "12\n"),
        ("tr -dc a-z </dev/urandom | head -c 12 | wc -c", "12\n"),
        ("dd if=/dev/zero bs=10 count=3 2>/dev/null | wc -c", "30\n"),
        ("cat /dev/null; [ -e /dev/random ] && echo there", "there\n"),
    ],
)  # fmt: skip
def test_devices_are_read(script: str, out: str) -> None:
    found = sh(script)
    assert (found.out, found.err) == (out, "")


def test_reading_zeros_lets_others_run() -> None:
    found = sh("timeout 2 cat /dev/zero >/dev/null; echo $?")
    assert found.out == "143\n"


def test_tar_tells_modes_owners_sizes_and_times() -> None:
    script = (
        "mkdir d; echo hello >d/f; chmod 640 d/f; ln -s f d/l; tar czf x.tgz d; tar tzvf x.tgz;"
        "tar tf x.tgz | head -n 1"
    )
    assert sh(script).out.splitlines() == [
        "drwxr-xr-x root/root         0 2026-01-01 00:00:00 d/",
        "-rw-r----- root/root         6 2026-01-01 00:00:00 d/f",
        "lrwxrwxrwx root/root         0 2026-01-01 00:00:00 d/l -> f",
        "d/",
    ]
