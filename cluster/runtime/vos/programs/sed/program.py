"""`sed`: its options, and what it works on."""

from collections.abc import Sequence
from typing import Final

from cluster.runtime.vos import streams
from cluster.runtime.vos.kernel import Call, Program, decoded
from cluster.runtime.vos.programs import inputs, options
from cluster.runtime.vos.programs.sed import reading
from cluster.runtime.vos.programs.sed.commands import Wrong
from cluster.runtime.vos.programs.sed.running import Run

_MAX_LINES: Final = 200_000


async def sed(call: Call) -> int:
    """`sed [-nErs] [-i[SUFFIX]] [-e SCRIPT]… [-f FILE] [SCRIPT] [FILE…]`."""
    try:
        scripts, argv, suffix = _taken(call)
        found, rest = options.split(argv, "nErsuz")
        if not scripts:
            if not rest:
                return await call.complain("usage: sed [OPTION]... {script} [FILE]...", 1)
            scripts = [rest.pop(0)]
        extended = bool({"E", "r"} & set(found))
        commands = reading.parse("\n".join(scripts), extended=extended)
        run = Run(call, commands, quiet="n" in found or scripts[0].startswith("#n\n"))
        if suffix is not None:
            return await _in_place(call, run, rest, suffix)
        lines = []
        async for _, reader in inputs.each(call, rest):
            lines += await streams.lines(reader)
        if len(lines) > _MAX_LINES:
            raise streams.TooMuch
        code = await run.run(lines, call.io.stdout)
        return code or (2 if inputs.missing(call, rest) else 0)
    except Wrong as wrong:
        return await call.complain(f"-e expression #1: {wrong}")
    except options.Unknown as unknown:
        return await call.complain(str(unknown))
    except OSError as error:
        return await call.complain(f"{error.filename}: {error.strerror}", 4)


def _taken(call: Call) -> tuple[list[str], list[str], str | None]:
    """Scripts of -e and -f, the other words, and the suffix of -i (None without it). OSError."""
    scripts: list[str] = []
    made = [call.argv[0]]
    suffix: str | None = None
    words = list(call.argv[1:])
    while words:
        word = words.pop(0)
        if word in ("--quiet", "--silent"):
            made.append("-n")
        elif word == "--regexp-extended":
            made.append("-E")
        elif word.startswith(("-i", "--in-place")):
            suffix = word.partition("=")[2] if word[1] == "-" else word[2:]
        elif word in ("-e", "--expression", "-ne", "-En", "-Ee", "-re", "-f", "-nf") and words:
            if word in ("-ne", "-nf", "-En"):
                made.append("-n")
            if word[1] in "Er":
                made.append("-E")
            if word == "-En":
                continue
            value = words.pop(0)
            read = word.endswith("f")
            scripts.append(decoded(call.files.read(call.path(value))) if read else value)
        elif word.startswith("--expression="):
            scripts.append(word.partition("=")[2])
        else:
            made.append(word)
    return scripts, made, suffix


async def _in_place(call: Call, run: Run, names: Sequence[str], suffix: str) -> int:
    code = 0
    for name in names:
        path = call.path(name)
        try:
            old = call.files.read(path)
            mode = call.files.find(path).mode
        except OSError as error:
            code = await call.complain(f"{name}: {error.strerror}")
            continue
        made = streams.Collected(8 << 20)
        run.number = 0
        await run.run(old.removesuffix(b"\n").split(b"\n") if old else [], made)
        if suffix:
            call.files.put(path + suffix, old, mode)
        data = bytes(made.data)
        if old and not old.endswith(b"\n"):
            data = data.removesuffix(b"\n")
        call.files.put(path, data, mode)
    return code


PROGRAMS: Final[dict[str, Program]] = {"sed": sed}
