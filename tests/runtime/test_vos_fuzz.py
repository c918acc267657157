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
    "[[", "]]", "=~", "==", "((", "a=(", "a[", "a[1]=", "${a[@]", "${a[", "${#", "${!a", "${x/",
    "${x:1:", "{1..3}", "{a,b}", "<<<", "&>", "$'", "$(<", "declare", "-A", "mapfile", "getopts",
    "let", "function", "++", "--", "//",
]  # fmt: skip
SCRIPTS = st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)


@given(st.one_of(st.text(max_size=60), SCRIPTS, SCRIPTS.map(lambda text: text.replace(" ", ""))))
@settings(max_examples=400, deadline=None)
@example("$((" * 100)
@example("${" * 100)
@example("`" * 101)
@example('"$(' * 60)
@example("a" * 5000)
@example("[[ " + "! " * 500)
@example("[[ " + "( " * 500)
@example("{a,b}" * 60)
def test_any_text_is_a_script_or_wrong(text: str) -> None:
    for bash in (False, True):
        with contextlib.suppress(parsing.Wrong):
            assert parsing.parse(text, bash=bash).items is not None


@given(SCRIPTS, st.binary(max_size=40), st.sampled_from(["sh", "bash"]))
@settings(max_examples=300, deadline=None)
@example("a=(1 2); a[9999999999]=1; echo ${a[@]:1} ${a[x+1]} ${!a[@]} {9..1}", b"", "bash")
@example("[[ a =~ (a|b)* ]]; ((x++)); echo ${BASH_REMATCH[@]} ${x:0:-5} ${a[-1]}", b"", "bash")
@example("declare -A m; m[a b]=1; unset m[a]; getopts a: x -a; let x=; mapfile", b"a", "bash")
@example("echo ${x:=$(echo)} | tar xf -", b"", "sh")
@example("ifconfig ; ip a ; ip link show eth0 ; ip route get", b"", "sh")
@example("printf '%*d %5000000s' 1 2", b"", "sh")
@example("kill -s TERM 1 ; kill % ; kill -99 1", b"", "sh")
@example("cut -c 1-99999999999 /etc/passwd ; cut -f x", b"", "sh")
@example("tail -n -1 ; head -n +x ; sort -k x", b"a\nb\n", "sh")
@example("sleep 1e400 ; sleep nan ; timeout nan true", b"", "sh")
@example("test ! ; test ( ; [ -a -o ] ; [ a -eq b ]", b"", "sh")
@example("date +%; date +%\xff ; seq 1 0 5 ; tr a-", b"x", "sh")
@example("read -t x y ; shift -1 ; set -o ; set -o nope", b"", "sh")
def test_any_script_ends_without_a_fault(script: str, stdin: bytes, shell: str) -> None:
    async def main() -> int:
        target = kernel()
        io = Io(Bytes(stdin), Collected(1 << 16, cut=True), Collected(1 << 16, cut=True))
        process = target.start([shell, "-c", script], io)
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
