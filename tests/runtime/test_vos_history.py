"""Arrow keys at a shell's prompt bring back lines that were typed before."""

import asyncio

import pytest
from vosworld import kernel

from cluster.aio import virtual
from cluster.runtime.vos.kernel import Io
from cluster.runtime.vos.streams import Collected
from cluster.runtime.vos.tty import Tty

UP, DOWN = b"\x1b[A", b"\x1b[B"


def typed(*pieces: bytes) -> str:
    """What a shell prints that is typed to."""

    async def main() -> str:
        screen = Collected(1 << 16)
        tty = Tty(screen)
        process = kernel().start(["sh"], Io(tty, tty, tty), tty=tty)
        for piece in pieces:
            await asyncio.sleep(0.1)  # the prompt is there
            await tty.type(piece)
        await asyncio.sleep(0.1)
        await tty.type(b"exit\n")
        await process.wait()
        return screen.data.decode()

    return virtual.run(main())


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"x=$((x+1)); echo got-$x\n", UP + b"\n"), "got-2"),
        ((b"echo got-a\n", b"echo b\n", UP + UP + b"x\n"), "got-ax"),
        ((b"echo got-a\n", b"echo b\n", UP + UP + DOWN + b"y\n"), "\r\nby"),
        ((b"echo a\n", b"junk" + UP + b"7\n"), "\r\na7"),
        ((b"echo a\n", UP + DOWN + b"echo z9\n"), "\r\nz9"),
    ],
)
def test_arrow_keys_bring_back_lines(pieces: tuple[bytes, ...], expected: str) -> None:
    assert expected in typed(*pieces)


def test_what_a_program_reads_has_no_history() -> None:
    assert "[" + "]" in typed(b"echo a\n", b'read l; echo "[$l]"\n', UP + b"\n")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"echo hello >/tmp/long-name\n", b"cat /tmp/lo\t\n"), "cat /tmp/long-name \r\nhello"),
        ((b"sha256\t/dev/null\n",), "sha256sum /dev/null"),
        ((b"ls /et\t\n",), "ls /etc/\r\n"),
        ((b"touch /tmp/ab1 /tmp/ab2\n", b"ls /tmp/a\t\t\n"), "ls /tmp/ab\r\nab1  ab2\r\n"),
        ((b"ls /nosuch/x\t\n",), "ls /nosuch/x\r\n"),
    ],
)
def test_tab_completes_names(pieces: tuple[bytes, ...], expected: str) -> None:
    assert expected in typed(*pieces)
