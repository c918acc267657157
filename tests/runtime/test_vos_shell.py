"""The shell of simulated containers: what scripts print and how they end."""

import asyncio

import pytest
from vosworld import kernel, on, sh

from cluster.aio import virtual
from cluster.runtime.vos.kernel import MAX_PROCESSES
from cluster.runtime.vos.shell import completing, parsing
from cluster.runtime.vos.shell.builtins import BUILTINS
from cluster.runtime.vos.shell.running import Shell
from cluster.runtime.vos.shell.state import State

PRINTED = [
    ("echo hi $HOSTNAME", "hi web-0\n"),
    ("echo 'a  $b' \"c  $HOSTNAME\" d\\ e", "a  $b c  web-0 d e\n"),
    ("x=1; (x=2; echo $x); echo $x", "2\n1\n"),
    ("for i in 1 2 3; do echo -n $i; done | cat; echo", "123\n"),
    ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done | tail -n 1", "3\n"),
    ("until false; do echo once; break; done", "once\n"),
    ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", "1\n3\n"),
    ("for i in 1 2; do for j in 1 2; do break 2; done; echo no; done; echo yes", "yes\n"),
    ("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n"),
    ("case web.txt in *.md|*.rst) echo doc;; *.t?t) echo text;; esac", "text\n"),
    ("f() { echo $1-$#; return 3; }; f a b; echo $?", "a-2\n3\n"),
    ("echo $(echo a; echo b)", "a b\n"),
    ('echo "$(printf "a\\nb\\n\\n")"', "a\nb\n"),
    ("echo `echo old`", "old\n"),
    ("echo $(( (1+2)*3 - 7%4 )) $((1<<4)) $((5/2)) $((-5/2)) $((3>2 && 1))", "6 16 2 -2 1\n"),
    ("n=5; echo $((n+=2)) $n", "7 7\n"),
    ("echo ${x:-def} ${x:=set} $x ${x:+alt} ${#x}", "def set set alt 3\n"),
    ("p=/a/b.tar.gz; echo ${p##*/} ${p%.*} ${p%%.*} ${p#/}", "b.tar.gz /a/b.tar /a/b a/b.tar.gz\n"),
    ("set -- 'a b' c; for x; do echo $x; done; shift; echo $#", "a b\nc\n1\n"),
    ("set -- 'a  b' c; printf '[%s]' \"$@\" \"$*\"", "[a  b][c][a  b c]"),
    ("cat <<E\nhi $HOSTNAME\nE\necho z", "hi web-0\nz\n"),
    ("cat <<'E' | tr a-z A-Z\nhi $x\nE", "HI $X\n"),
    ("true && echo and || echo or", "and\n"),
    ("false && echo and || echo or", "or\n"),
    ("! true; echo $?", "1\n"),
    ("echo one >/tmp/f; echo two >>/tmp/f; cat </tmp/f", "one\ntwo\n"),
    ("{ echo out; echo err >&2; } 2>/dev/null", "out\n"),
    ("{ echo err >&2; } 2>&1 | cat", "err\n"),
    ("cd /etc && pwd; cd - && pwd", "/etc\n/\n"),
    ("cd /etc; echo host*", "hostname hosts\n"),
    ("echo /nothing*", "/nothing*\n"),
    ("export A=1; sh -c 'echo $A$B'; B=2 sh -c 'echo $B'", "1\n2\n"),
    ("( trap 'echo bye' EXIT; echo hi )", "hi\nbye\n"),
    ("eval 'x=3; echo $x'", "3\n"),
    ("command -v ls; type cd; which nosuch || echo none", "/bin/ls\ncd is a shell builtin\nnone\n"),
    ("sleep 5 & kill $!; wait $!; echo $?", "143\n"),
    ("echo a; # a comment\necho b", "a\nb\n"),
    ("yes | head -n 2", "y\ny\n"),
    ("echo \"a\" | while read x; do echo \"<$x>\"; done", "<a>\n"),
    ("IFS=:; for x in $PATH; do echo $x; break; done", "/usr/local/sbin\n"),
    ("timeout 3 sleep 10; echo $?", "143\n"),
    ("echo '#!/bin/sh\necho script $1' > /s; chmod +x /s; /s x", "script x\n"),
    ("exec 2>&1; echo a >&2", "a\n"),
    ("x=$(case a in a) echo sub;; esac); echo $x", "sub\n"),
    ('echo "$(for i in 1 2; do case $i in 1) echo one;; *) echo "t(w)o";; esac; done)"',
     "one\nt(w)o\n"),
    ("echo $(echo a; # it's a ) comment\necho b)", "a b\n"),
    ("echo $(cat <<E\n:-)\nE\n) z", ":-) z\n"),
    ("cat <<E; echo $(echo b\n echo c)\na\nE\necho z", "a\nb c\nz\n"),
    ("echo ${x:-$(case a in (a) echo in;; esac)}; (echo $(echo \")\"))", "in\n)\n"),
    ("ln -s /etc /tmp/e; cd /tmp/e; pwd; pwd -P; pwd -PL; /bin/pwd; cd -P /tmp/e; pwd; echo $PWD",
     "/tmp/e\n/etc\n/tmp/e\n/etc\n/etc\n/etc\n"),
    ("export A=1 B=2; printenv A B; printenv NONE A; echo $?", "1\n2\n1\n1\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), PRINTED)
def test_a_script_prints(script: str, out: str) -> None:
    found = sh(script)
    assert found.out == out
    assert found.code == 0


ENDED = [
    ("exit 3", 3, ""),
    ("exit 300", 44, ""),
    ("false", 1, ""),
    ("(exit 7)", 7, ""),
    ("nosuch", 127, "sh: nosuch: not found\n"),
    ("/bin/nosuch", 127, "sh: /bin/nosuch: not found\n"),
    ("/etc/hosts", 126, "sh: /etc/hosts: Permission denied\n"),
    ("set -e; false; exit 9", 1, ""),
    ("set -e; if false; then :; fi; false || true; exit 9", 9, ""),
    ("set -u; echo $nope", 2, "sh: nope: parameter not set\n"),
    ("echo ${x:?is needed}", 2, "sh: x: is needed\n"),
    ("kill -9 $$", 137, ""),
    ("kill $$; sleep 1", 143, ""),
    ("trap 'exit 4' TERM; kill $$; sleep 1", 4, ""),
    ("false | true", 0, ""),
    ("set -o pipefail; false | true", 1, ""),
    ("echo a >/no/such", 1, "sh: can't create /no/such: No such file or directory\n"),
    ("cat /no/such", 1, "cat: can't open '/no/such': No such file or directory\n"),
    ("readonly r=1; r=2", 2, "sh: r: is read only\n"),
    ("echo $((1/0))", 2, "sh: divide by zero\n"),
    ("if true; then", 2, 'sh: syntax error: unexpected end of file (expecting "fi")\n'),
    ("echo $(echo a", 2, 'sh: syntax error: unexpected end of file (expecting ")")\n'),
    ("echo 'open", 2, "sh: syntax error: unterminated quoted string\n"),
    ("done", 2, 'sh: syntax error: unexpected "done"\n'),
]


@pytest.mark.parametrize(("script", "code", "err"), ENDED)
def test_a_script_ends(script: str, code: int, err: str) -> None:
    found = sh(script)
    assert (found.code, found.err) == (code, err)


def test_time_passes_only_where_a_script_waits() -> None:
    assert sh("sleep 90; date +%H:%M:%S").out == "00:01:30\n"
    assert sh("sleep 100 & sleep 40; wait").seconds == pytest.approx(100, abs=0.1)
    assert sh("for i in 1 2 3; do echo $i; done").seconds < 0.01


def test_an_endless_loop_gives_way_to_others() -> None:
    async def main() -> None:
        target = kernel()
        busy = target.start(["sh", "-c", "while true; do :; done"], _io())
        other = await on(target, "sh", "-c", "sleep 1; echo alive", limit=5)
        assert other.out == "alive\n"
        assert busy.code is None
        busy.signal(9)
        assert await busy.wait() == 137

    virtual.run(main())


GREEDY = [
    ("f() { f; }; f", "recursion"),
    ("x=y; while true; do x=$x$x; done", "out of memory"),
    (
        "i=0; while true; do i=$((i+1)); eval \"v$i=$(yes | head -c 90000 | tr -d '\\n')\"; done",
        "out of memory",
    ),
    ("yes > /f", "No space left on device"),
    ("x=$(yes)", "out of memory"),
    ("b() { b | b & }; b; sleep 2", "can't fork"),
    ("eval \"$(yes '(' | head -n 100)\"", "nested too deeply"),
]


@pytest.mark.parametrize(("script", "said"), GREEDY)
def test_a_greedy_script_is_refused(script: str, said: str) -> None:
    assert said in sh(script).err


def test_no_more_processes_than_there_is_room_for() -> None:
    async def main() -> None:
        target = kernel()
        script = "i=0; while [ $i -lt 100 ]; do i=$((i+1)); sleep 60 & done 2>/dev/null; sleep 1"
        process = target.start(["sh", "-c", script], _io())
        await asyncio.sleep(0.5)
        assert len(target.processes) == MAX_PROCESSES
        target.kill_all()
        await process.wait()
        await asyncio.sleep(0)
        assert not target.processes

    virtual.run(main())


@pytest.mark.parametrize("text", ["if x; then", "echo 'a", "a &&", "cat <<E", "$(", "f() {", "{ a"])
def test_what_another_line_may_complete_is_incomplete(text: str) -> None:
    with pytest.raises(parsing.Incomplete):
        parsing.parse(text)


@pytest.mark.parametrize("text", ["fi", "a ;; b", "a | | b", "()", "for 1 in a; do b; done", "${}"])
def test_what_no_line_can_complete_is_wrong(text: str) -> None:
    with pytest.raises(parsing.Wrong) as caught:
        parsing.parse(text)
    assert not isinstance(caught.value, parsing.Incomplete)


def _io():  # type: ignore[no-untyped-def]
    from cluster.runtime.vos.kernel import Io

    return Io()


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("echo first\necho second; fi\necho third\n", "first\n"),
        ("echo first\ncat <<E\nbody\nE\nif true; then\n", "first\nbody\n"),
        ("echo first\nexit 0\necho $(\n", "first\n"),
        ("eval 'echo in\n)'; echo $?", "in\n2\n"),
        ("echo a; echo b &\nwait\n\n# only this\n)", "a\nb\n"),
    ],
)
def test_a_script_runs_up_to_the_line_that_is_wrong(script: str, out: str) -> None:
    found = sh(script)
    assert found.out == out
    assert (found.code, "syntax error" in found.err) in ((2, True), (0, "eval" in script))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cat my\\ ", ("file.txt ", ())),
        ("cat m", ("y\\ file.txt ", ())),
        ("cat odd", ("\\$", ("odd$1", "odd$2"))),
        ("cat a;cat my\\ f", ("ile.txt ", ())),
        ("echo $HO", ("", ("$HOME", "$HOSTNAME"))),
        ("echo x$HOS", ("TNAME ", ())),
        ("echo $NOSUCH", ("", ())),
        ("echo '$", ("", ())),
    ],
)
def test_tab_completes_escaped_names_and_variables(line: str, found: tuple[str, object]) -> None:
    async def main() -> tuple[str, object]:
        target = kernel(HOSTNAME="web-0", HOME="/root")
        await on(target, "sh", "-c", "cd /tmp; touch 'my file.txt' 'odd$1' 'odd$2'")
        process = target.start(["sleep", "1"], _io())
        state = State({"HOSTNAME": "web-0", "HOME": "/root"}, name="sh", positional=[], cwd="/tmp")
        more, names = completing.completed(Shell(process, state, BUILTINS), line)
        return more, tuple(names)

    assert virtual.run(main()) == found
