"""Whatever is typed into a simulated shell, it answers and never fails by a fault of its own."""

import asyncio
import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st
from vosworld import kernel

from cluster.aio import virtual
from cluster.runtime.vos.kernel import Io
from cluster.runtime.vos.programs import PROGRAMS
from cluster.runtime.vos.shell import parsing
from cluster.runtime.vos.streams import Bytes, Collected

FAULT = 139
"""What a process ends with that failed by a fault of ours."""

PIECES = [
    *sorted(PROGRAMS), "if", "then", "else", "fi", "for", "i", "in", "do", "done", "while", "case",
    "esac", "{", "}", "(", ")", ";", ";;", "&", "&&", "||", "|", "!", "\n", ">", ">>", "<", "<<",
    "2>&1", "E", "$x", "${x", "${x:-", "}", "$(", "$((", "))", "`", '"', "'", "\\", "#", "*", "?",
    "[", "]", "~", "=", "x=1", "-n", "-c", "-f", "-r", "-e", "1", "0", "-1", "/", "/etc", "/tmp/f",
    "..", "a", "é", "\0", "%d", "%s", "set", "trap", "TERM", "exit", "return", "break", "read",
    "eval", "exec", "wait", "kill", "cd", "unset", "export", "shift", "local", ".", ":", "infinity",
]  # fmt: skip
SCRIPTS = st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)


@given(st.one_of(st.text(max_size=60), SCRIPTS, SCRIPTS.map(lambda text: text.replace(" ", ""))))
@settings(max_examples=400, deadline=None)
@example("$((" * 100)
@example("${" * 100)
@example("`" * 101)
@example('"$(' * 60)
@example("a" * 5000)
def test_any_text_is_a_script_or_wrong(text: str) -> None:
    with contextlib.suppress(parsing.Wrong):
        assert parsing.parse(text).items is not None


@given(SCRIPTS, st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
@example("echo ${x:=$(echo)} | tar xf -", b"")
@example("printf '%*d %5000000s' 1 2", b"")
@example("kill -s TERM 1 ; kill % ; kill -99 1", b"")
@example("cut -c 1-99999999999 /etc/passwd ; cut -f x", b"")
@example("tail -n -1 ; head -n +x ; sort -k x", b"a\nb\n")
@example("sleep 1e400 ; sleep nan ; timeout nan true", b"")
@example("test ! ; test ( ; [ -a -o ] ; [ a -eq b ]", b"")
@example("date +%; date +%\xff ; seq 1 0 5 ; tr a-", b"x")
@example("read -t x y ; shift -1 ; set -o ; set -o nope", b"")
def test_any_script_ends_without_a_fault(script: str, stdin: bytes) -> None:
    async def main() -> int:
        target = kernel()
        io = Io(Bytes(stdin), Collected(1 << 16, cut=True), Collected(1 << 16, cut=True))
        process = target.start(["sh", "-c", script], io)
        try:
            async with asyncio.timeout(5):
                return await process.wait()
        except TimeoutError:
            return 0
        finally:
            target.kill_all()
            await asyncio.sleep(1)
            assert not target.processes

    assert virtual.run(main()) != FAULT
