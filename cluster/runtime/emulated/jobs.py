"""Images that work and end: perl's pi, hello-world, whalesay; and tools that say what they are not.

Interpreters are not emulated. `perl` computes pi, as the Job of the Kubernetes documentation asks,
and says of everything else that it cannot run it.
"""

import re
from typing import Final

from cluster.runtime.emulated.image import Image
from cluster.runtime.vos.kernel import Call, Program

_PI: Final = re.compile(
    r"\s*(?:use\s+(?:bignum|Math::BigFloat)[^;]*;\s*)?(?:print|say)\s*\(?\s*bpi\s*\(\s*(\d{1,6})\s*\)\s*\)?\s*;?\s*"
)
_PRINT: Final = re.compile(
    r"""\s*(?:print|say)\s*\(?\s*(?:"([^"\\$@]*(?:\\n[^"\\$@]*)*)"|'([^']*)')\s*\)?\s*;?\s*"""
)
_DIGITS: Final = 20_000
_SLICE: Final = 400
"""Steps of the series between two pauses: some milliseconds."""


async def pi(call: Call, digits: int) -> str:
    """Pi to so many significant digits, rounded as bignum does. Chudnovsky's series, in slices.

    Each term gives 14 digits, so 2000 take 143 terms of numbers of 830 bytes.
    """
    guard = 10
    scale = 10 ** (digits + guard)
    total = 13591409 * scale
    term = scale
    for number in range(1, (digits + guard) // 14 + 2):
        if number % _SLICE == 0 or digits > 2000:
            await call.kernel.step()
        term *= -24 * (6 * number - 5) * (2 * number - 1) * (6 * number - 1)
        term //= number**3 * 640320**3
        total += term * (13591409 + 545140134 * number)
    root = _root(10005 * scale * scale)
    value = 426880 * root * scale // total
    rounded = str((value // 10**guard + 5) // 10) if digits > 1 else "3"
    return f"{rounded[0]}.{rounded[1:]}" if digits > 1 else rounded


def _root(value: int) -> int:
    """The whole part of a square root."""
    guess = 1 << (value.bit_length() + 1) // 2
    while True:
        better = (guess + value // guess) >> 1
        if better >= guess:
            return guess
        guess = better


async def perl(call: Call) -> int:
    """`perl -Mbignum=bpi -wle 'print bpi(2000)'`, and `print "text"`."""
    script, lined = "", False
    words = list(call.argv[1:])
    modules: list[str] = []
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-v", "--version"):
            await call.out("This is perl 5 (emulated by kubemu: it prints, and computes pi)\n")
            return 0
        if word.startswith("-M"):
            modules.append(word[2:])
            continue
        lined = lined or "l" in word or "E" in word
        if word[-1] in "eE":
            script = words.pop(0) if words else ""
    if not script:
        what = f'"{words[0]}"' if words else "its stdin"
        return await call.complain(f"scripts are not emulated: {what} is not run", 2)
    found = _PI.fullmatch(script)
    if found is not None and (
        any("bpi" in one for one in modules) or "bpi" in script.split("print")[0]
    ):
        digits = int(found[1])
        if digits > _DIGITS:
            return await call.complain(f"not more than {_DIGITS} digits are emulated", 2)
        await call.out(await pi(call, max(digits, 1)) + ("\n" if lined else ""))
        return 0
    text = _PRINT.fullmatch(script)
    if text is not None:
        plain = text[1].replace("\\n", "\n") if text[1] is not None else text[2]
        await call.out(plain + ("\n" if lined or "say" in script else ""))
        return 0
    return await call.complain(
        'this script is not emulated: only `print bpi(N)` and `print "…"` are', 2
    )


_HELLO: Final = """
Hello from kubemu!
You see this because an emulated hello-world ran.

On the way here:
 1. A kubelet asked its runtime for a container of the image "hello-world".
 2. The runtime emulates that image: nothing was downloaded, nothing real was started.
 3. The program in it printed these lines, which went into the container's log.
 4. It ends now, with exit code 0.
"""


async def hello(call: Call) -> int:
    """`/hello`."""
    await call.out(_HELLO)
    return 0


_WIDTH: Final = 40


async def cowsay(call: Call) -> int:
    """`cowsay WORD…`: a whale says it."""
    words = [word for word in call.argv[1:] if not word.startswith("-")]
    lines: list[str] = [""]
    for word in " ".join(words)[:2000].split() or ["..."]:
        if lines[-1] and len(lines[-1]) + len(word) + 1 > _WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    width = max(map(len, lines))
    await call.out(" " + "_" * (width + 2) + "\n")
    for at, line in enumerate(lines):
        left, right = (
            "<>"
            if len(lines) == 1
            else "/\\"
            if at == 0
            else "\\/"
            if at == len(lines) - 1
            else "||"
        )
        await call.out(f"{left} {line:<{width}} {right}\n")
    await call.out(" " + "-" * (width + 2) + "\n" + _WHALE)
    return 0


_WHALE: Final = r"""    \
     \      ________
      \   _/ []  [] \___
    ~~~~~{    o          \___ /|
      ~~~ \___________________/ |
"""


def refusing(what: str, why: str, code: int = 127) -> Program:
    """A program that is not emulated, and says so."""

    async def program(call: Call) -> int:
        await call.io.stderr.write(f"{what}: not emulated: {why}\n".encode())
        return code

    return program


_KUBECTL: Final = refusing(
    "kubectl", "no client of the API runs in an emulated container; run kubectl on your machine"
)

IMAGES: Final = (
    Image(names=("library/perl", "perl"), cmd=("perl", "-de0"), programs={"perl": perl}),
    Image(names=("library/hello-world",), cmd=("/hello",), userland=False,
          programs={"/hello": hello}),
    Image(names=("docker/whalesay",), cmd=("/bin/bash",), working_dir="/cowsay",
          programs={"cowsay": cowsay}),
    Image(names=("bitnami/kubectl", "bitnamilegacy/kubectl"), entrypoint=("kubectl",),
          cmd=("--help",), user="1001", programs={"kubectl": _KUBECTL}),
    Image(names=("kubectl", "rancher/kubectl"), entrypoint=("/bin/kubectl",), userland=False,
          programs={"/bin/kubectl": _KUBECTL}),
)  # fmt: skip
