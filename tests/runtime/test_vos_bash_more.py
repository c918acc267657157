"""More of bash: process substitution, select, case that goes on, what it tells of itself."""

import pytest
from vosworld import kernel, on, sh

from cluster.aio import virtual


def bash(script: str, stdin: bytes = b"") -> tuple[str, str, int]:
    async def main() -> tuple[str, str, int]:
        found = await on(kernel(), "bash", "-c", script, stdin=stdin)
        return found.out, found.err, found.code

    return virtual.run(main())


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("echo $((2 ** 3)) $((2 ** 3 ** 2)) $((-2 ** 2)) $((3 * 2 ** 2))", "8 512 4 12"),
        ("echo $((16#ff)) $((10#08 + 1)) $((2#101))", "255 9 5"),
        ("echo $((2 ** 63 )) $((2 ** 64))", "-9223372036854775808 0"),
    ],
)
def test_arithmetic_has_powers_and_bases(script: str, out: str) -> None:
    assert sh(script).out == out + "\n"
    assert bash(script)[0] == out + "\n"


def test_a_negative_power_is_refused() -> None:
    assert sh("echo $((2 ** -1))").err == "sh: exponent less than 0\n"


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("diff <(echo a) <(echo a) && echo same", "same"),
        ("diff <(printf 'a\\nb\\n') <(printf 'a\\nc\\n') | grep '^[-+][bc]'", "-b\n+c"),
        ("cat <(echo one) <(echo two)", "one\ntwo"),
        ("n=0; while read -r x; do n=$((n + x)); done < <(seq 4); echo $n", "10"),
        ("mapfile -t a < <(printf 'x\\ny\\n') 2>/dev/null; cat < <(echo in)", "in"),
        ("echo up | tee >(tr a-z A-Z >/tmp/b) >/tmp/a; cat /tmp/a /tmp/b", "up\nUP"),
        ("echo hello > >(tr a-z A-Z); echo after", "HELLO\nafter"),
        ("head -n 1 < <(yes)", "y"),
        (". <(echo 'v=7'); echo $v", "7"),
        ("paste <(seq 2) <(seq 3 4); ls /dev/fd | wc -l", "1\t3\n2\t4\n0"),
        ("echo one two 2> >(cat) | { cat; }", "one two"),
    ],
)
def test_bash_passes_what_a_command_prints_as_a_file(script: str, out: str) -> None:
    assert bash(script)[:2] == (out + "\n", "")


def test_a_plain_shell_has_no_process_substitution() -> None:
    assert sh("cat <(echo a)").code == 2


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("case a in a) echo 1;& b) echo 2;; c) echo 3;; esac", "1\n2"),
        ("case ab in a*) echo 1;;& *c) echo 2;;& *b) echo 3;; *) echo 4; esac", "1\n3"),
        ("case x in x) echo 1;& esac; echo $?", "1\n0"),
    ],
)
def test_bash_goes_on_to_further_branches(script: str, out: str) -> None:
    assert bash(script)[:2] == (out + "\n", "")


def test_select_asks_until_it_is_left() -> None:
    script = 'select x in red green; do echo "$REPLY=$x"; [ $x ] && break; done; echo $?'
    out, err, _ = bash(script, b"9\n\n2\n")
    assert out == "9=\n2=green\n0\n"
    assert err == "1) red\n2) green\n#? #? 1) red\n2) green\n#? "
    assert bash("PS3='which '; select x in a; do :; done; echo $?")[0] == "\n1\n"


@pytest.mark.parametrize(
    ("script", "out"),
    [
        (
            "f() { :; }; type -t f if cd ls; type -t nosuch; echo $?",
            "function\nkeyword\nbuiltin\nfile\n1",
        ),
        ("type -p ls; type cd; type ls", "/bin/ls\ncd is a shell builtin\nls is /bin/ls"),
        ("printf '%q\\n' \"a b\" 'it'\"'\"'s' plain ''", "a\\ b\nit\\'s\nplain\n''"),
        ("printf -v x '%03d' 7; echo $x; printf -v 'a[1]' hi; echo ${a[1]}", "007\nhi"),
        ("[[ $BASH_VERSION == 5.* ]] && echo ${BASH_VERSINFO[0]}", "5"),
        ("echo $BASH $UID $EUID $OSTYPE", "/bin/bash 0 0 linux-gnu"),
        ("echo out >/dev/fd/1; echo in | cat </dev/fd/0", "out\nin"),
    ],
)
def test_bash_tells_of_itself(script: str, out: str) -> None:
    assert bash(script)[:2] == (out + "\n", "")
