"""What bash has beside a plain shell: arrays, `[[`, `((`, braces, and more of `${…}`."""

import pytest
from vosworld import Result, kernel, on

from cluster.aio import virtual
from cluster.runtime import commandline


def run(shell: str, script: str, *words: str) -> Result:
    async def main() -> Result:
        return await on(kernel(), shell, "-c", script, shell, *words)

    return virtual.run(main())


PRINTED = [
    ("a=(foo 'b r' baz); echo ${a[1]} ${#a[@]} $a", "b r 3 foo\n"),
    ("a=(x y); a+=(z); for i in \"${a[@]}\"; do echo \"<$i>\"; done", "<x>\n<y>\n<z>\n"),
    ("a=(1 2 3 4 5); echo ${a[@]:1:2} ${a[-1]} ${!a[@]}", "2 3 5 0 1 2 3 4\n"),
    ("a=(\n  one # first\n  two\n)\nprintf '[%s]' \"${a[@]}\"", "[one][two]"),
    ("i=1; a=(p q r); a[i+1]=z; echo ${a[$i]} ${a[i+1]}; unset 'a[0]'; echo ${!a[*]}",
     "q z\n1 2\n"),
    ("for x in \"$@\"; do echo \"<$x>\"; done; set -- ''; printf '[%s]' 1 \"$@\"", "[1][]"),
    ("a=(x y z); IFS=,; echo \"${a[*]}\" \"${a[@]}\"; set -- p q; echo \"$*\"; IFS=; echo \"$*\"",
     "x,y,z x y z\np,q\npq\n"),
    ("a=(); echo \"${#a[@]}\"; printf '<%s>' x \"${a[@]}\" y", "0\n<x><y>"),
    ("declare -A m=([a]=1 [b c]=2); m[d]=3; echo ${m[b c]} ${#m[@]} ${!m[@]}", "2 3 a b c d\n"),
    ("a=(a.txt b.txt); echo ${a[@]%.txt} ${a[@]/b/c}", "a b a.txt c.txt\n"),
    ("[[ mysql-12 =~ -([0-9]+)$ ]] && echo ${BASH_REMATCH[1]}", "12\n"),
    ("[[ `hostname` =~ ^(web|db)-([0-9]+)$ ]]; echo $? ${BASH_REMATCH[2]}", "0 0\n"),
    ("r='^a b'; [[ 'a bc' =~ $r ]]; echo $?; [[ 'axc' =~ a\".\"c ]]; echo $?", "0\n1\n"),
    ("x='a b'; [[ $x == a* && ! -f /none ]] && echo yes", "yes\n"),
    ("[[ ab == \"a*\" ]] || echo literal", "literal\n"),
    ("[[ -z $none || ( 2 -gt 10 ) ]]; echo $?; [[ 10 -gt 2 ]]; echo $?; [[ 2 > 10 ]]; echo $?",
     "0\n0\n0\n"),
    ("x=1; [[ -v x ]] && [[ ! -v y ]] && echo set", "set\n"),
    ("echo one >/tmp/f; x=\"$(</tmp/f)\"; echo \"<$x>\"", "<one>\n"),
    ("tr a-z A-Z <<<\"hi there\"", "HI THERE\n"),
    ("for i in {1..3} {a,b}-x; do echo -n $i.; done", "1.2.3.a-x.b-x."),
    ("echo {01..03} {3..1} {a..e..2} {1}", "01 02 03 3 2 1 a c e {1}\n"),
    ("echo a{b,c}d{e,f} '{x,y}'", "abde abdf acde acdf {x,y}\n"),
    ("for ((i=0; i<3; i++)); do echo -n $i; done; ((i==3)) && echo ok", "012ok\n"),
    ("i=5; ((i--)); ((i+=2, i*=2)); echo $i $((i++)) $((++i)) $((5--3))", "12 12 14 8\n"),
    ("x=hello; echo ${x:1:3} ${x: -2} ${x/l/L} ${x//l/L} ${x^} ${x^^} ${x/#h/J} ${x/%o/a}",
     "ell lo heLlo heLLo Hello HELLO Jello hella\n"),
    ("x=a/b/c; echo ${x//\\//-} ${x/?\\/b/X} ${x//[ab]/_}", "a-b-c X/c _/_/c\n"),
    ("n=HOME; HOME=/root; echo ${!n}", "/root\n"),
    ("f() { local x=2 y='a b'; echo $x $y; }; x=1; f; echo $x$y", "2 a b\n1\n"),
    ("function f { echo \"f $1\"; }; f a; function g() { echo g; }; g", "f a\ng\n"),
    ("{ echo out; echo err >&2; } &>/tmp/both; cat /tmp/both", "out\nerr\n"),
    ("echo $'a\\tb\\x41'", "a\tbA\n"),
    ("s=x; s+=y; echo $s; read -ra w <<<'p q r'; echo ${w[2]}", "xy\nr\n"),
    ("printf 'a\\nb\\n' >/tmp/l; mapfile -t l </tmp/l; echo ${#l[@]} ${l[1]}", "2 b\n"),
    ("export P='a  b' Q=$HOSTNAME; echo \"$P\" $Q", "a  b web-0\n"),
    ("echo $((RANDOM >= 0 && RANDOM < 32768)); sleep 3; echo $SECONDS", "1\n3\n"),
    ("f() { (( $1 )) || return; echo $1; f $(($1-1)); }; f 2", "2\n1\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), PRINTED)
def test_bash_prints(script: str, out: str) -> None:
    found = run("bash", script)
    assert (found.out, found.err) == (out, "")


@pytest.mark.parametrize(
    "script",
    ["[[ a == a && b != c ]] && echo a", "x=abc; echo ${x:0:1}", "x=ab; echo ${x/b/}",
     "f() { local x=a; echo $x; }; f", "echo $'a'",
     "while getopts ab:c o; do [ $o = b ] && echo $OPTARG; done"],
)  # fmt: skip
def test_busyboxs_shell_has_it_too(script: str) -> None:
    assert run("sh", script, "-c", "-ba").out == "a\n"


def test_busyboxs_shell_has_no_arrays() -> None:
    found = run("sh", "a=(x y)")
    assert (found.code, found.err) == (2, 'sh: syntax error: unexpected "("\n')


@pytest.mark.parametrize(
    ("options", "words", "out"),
    [
        ("ab:c", ("-a", "-b", "x", "-cby", "rest"), "a: b:x c: b:y 5"),
        ("ab:", ("-z", "-b"), "?: ?: 3"),
        (":ab:", ("-z", "-b"), "?:z ::b 3"),
        ("a", ("-a", "--", "-a"), "a: 3"),
    ],
)
def test_options_are_taken_apart(options: str, words: tuple[str, ...], out: str) -> None:
    script = f"while getopts {options} o; do echo -n $o:$OPTARG' '; done; echo $OPTIND"
    assert run("bash", script, *words).out == out + "\n"


@pytest.mark.parametrize(
    ("script", "err"),
    [
        ("nosuch", "bash: nosuch: command not found\n"),
        ("echo {1..1000000}", "bash: argument list too long\n"),
        ("echo {1..9999}{1..9999}", "bash: argument list too long\n"),
        ("a[-1]=x", "bash: a[-1]: bad array subscript\n"),
        ("readonly -a a=(1); a[0]=2", "bash: a: is read only\n"),
        ("r='('; [[ x =~ $r ]]", "bash: Unmatched ( or \\(\n"),
        ("i=0; while ((++i)); do a[i]=$i$i$i$i; done", "bash: out of memory\n"),
        ("x=$(</nothing)", "bash: /nothing: No such file or directory\n"),
    ],
)
def test_what_is_wrong_is_told(script: str, err: str) -> None:
    found = run("bash", script)
    assert found.err == err
    assert found.code != 0


@pytest.mark.parametrize(
    "script", ["[[ a", "[[ ]]", "[[ -f ]", "[[ a == ]]", "((1", "a=(", "for ((;;"]
)
def test_what_is_not_whole_is_refused(script: str) -> None:
    found = run("bash", script)
    assert found.code == 2
    assert "syntax error" in found.err


def test_a_trace_shows_what_is_set_and_asked() -> None:
    found = run("bash", "set -x; [[ web-1 =~ -([0-9])$ ]]; n=${BASH_REMATCH[1]}; a=(x y)")
    assert found.err == "+ [[ web-1 =~ -([0-9])$ ]]\n+ n=1\n+ a=(x y)\n"


@pytest.mark.parametrize(
    ("argv", "there"),
    [
        (("bash", "-c", "a=(x y)\necho ${a[0]} > /f\n"), True),
        (("bash", "-c", "set -ex\n[[ `hostname` =~ -([0-9]+)$ ]] || exit 1"), True),
        (("sh", "-c", "a=(x y)"), False),
        (("bash", "-c", "[[ -d / ]] && xbstream -x"), False),
    ],
)
def test_whose_programs_are_there_is_seen_in_bash_too(argv: tuple[str, ...], there: bool) -> None:
    assert commandline.understood(argv) is there
