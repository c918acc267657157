"""`dig`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cluster.runtime.vos import resolving
from cluster.runtime.vos.kernel import Call
from cluster.runtime.vos.programs.network import reaching
from cluster.runtime.vos.programs.network.bind import asking, showing
from cluster.runtime.vos.programs.network.bind.asking import Answer, Question

_USAGE: Final = """Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options
"""
_HELP: Final = """Usage:  dig [@server] [-4] [-6] [-p port] [-t type] [-c class] [-x address]
            [-q] name [+[no]short] [+[no]search] [+[no]tcp] [+[no]recurse] [+[no]all] [+[no]answer]
            [+[no]question] [+[no]authority] [+[no]additional] [+[no]stats] [+[no]comments]
            [+[no]cmd] [+[no]edns] [+[no]dnssec] [+[no]ignore] [+[no]identify]
            [+time=SECONDS] [+tries=N] [+retry=N] [+ndots=N] [+domain=NAME]
"""
_PARTS: Final = (
    "cmd", "comments", "question", "answer", "authority", "additional", "stats",
)  # fmt: skip
_UNBUILT: Final = frozenset(("trace", "nssearch", "multiline", "tls", "https", "yaml", "sigchase"))
_NOTHING_CHANGES: Final = frozenset((
    "cookie", "adflag", "aaflag", "cdflag", "badcookie", "besteffort", "class", "crypto", "fail",
    "keepopen", "mapped", "rrcomments", "ttlid", "unknownformat", "idnin", "idnout", "expandaaaa",
    "bufsize", "padding", "split", "ttlunits", "onesoa", "showsearch", "qr", "subnet", "nsid",
))  # fmt: skip
"""Flags whose absence is not seen in what the cluster's servers answer."""
_MOST_LOOKUPS: Final = 64
_NO_REPLY, _FATAL = 9, 10


class _Wrong(Exception):
    """An option that cannot be; the message says which."""


@dataclass
class _Lookup:
    """A name that is asked for, and how."""

    question: Question = field(default_factory=lambda: Question("", ""))
    shown: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(_PARTS, True))
    short: bool = False
    identify: bool = False
    search: bool = False
    ndots: int | None = None
    domain: str = ""
    server: str = ""
    port: int = resolving.PORT
    family: int = 0

    def copy(self) -> "_Lookup":
        return dataclasses.replace(
            self, question=dataclasses.replace(self.question), shown=dict(self.shown)
        )


async def dig(call: Call) -> int:
    """`dig [@SERVER] NAME [TYPE] [+OPTION…]`; several names, each with options of its own."""
    words = call.argv[1:]
    if "-h" in words:
        await call.out(_HELP)
        return 0
    if "-v" in words:
        await call.io.stderr.write(f"DiG {showing.VERSION}\n".encode())
        return 0
    try:
        lookups = _read(words)
    except _Wrong as wrong:
        await call.io.stderr.write(f"{wrong}\n{_USAGE}".encode(errors="replace"))
        return 1
    code = 0
    for place, lookup in enumerate(lookups):
        await call.kernel.step()
        code = max(code, await _look_up(call, lookup, first=not place))
    return code


# ---- what is wanted ------------------------------------------------------------------------------


def _read(words: Sequence[str]) -> list[_Lookup]:
    """The lookups of a command line. What is before the first name is for all of them."""
    common, found = _Lookup(), list[_Lookup]()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        now = found[-1] if found else common
        if word.startswith("@") and len(word) > 1:
            now.server = word[1:]
        elif word.startswith("+") and len(word) > 1:
            _plus(now, word)
        elif word in ("-4", "-6"):
            common.family = now.family = int(word[1])
        elif word[:2] in ("-t", "-c", "-x", "-p", "-q", "-b", "-f", "-k", "-y"):
            value = word[2:] or (rest.pop(0) if rest else "")
            _dashed(common, found, word[1], value)
        elif word.startswith("-") and len(word) > 1:
            raise _Wrong(f"Invalid option: {word[:100]}")
        elif asking.number(word) is not None:
            now.question.kind = word.upper()
        elif word.upper() in ("IN", "CH", "HS"):
            now.question.of_class = word.upper()
        else:
            _add(common, found, word)
    if not found:
        _add(common, found, ".")
        found[0].question.kind = found[0].question.kind or "NS"
    return found


def _add(common: _Lookup, found: list[_Lookup], name: str, kind: str = "") -> None:
    if len(found) >= _MOST_LOOKUPS:
        raise _Wrong("too many lookups")
    made = common.copy()
    made.question.name = name
    made.question.kind = kind or made.question.kind
    found.append(made)


def _dashed(common: _Lookup, found: list[_Lookup], letter: str, value: str) -> None:
    now = found[-1] if found else common
    if not value:
        raise _Wrong(f"Invalid option: -{letter}")
    if letter == "t":
        if asking.number(value) is None:
            raise _Wrong(f";; Warning, ignoring invalid type {value[:100]}")
        now.question.kind = value.upper()
    elif letter == "c":
        now.question.of_class = value.upper() if value.upper() in ("IN", "CH", "HS") else "IN"
    elif letter == "x":
        name = asking.reverse(value)
        if name is None:
            raise _Wrong(f"Invalid IP address {value[:100]}")
        _add(common, found, name, "PTR")
    elif letter == "q":
        _add(common, found, value)
    elif letter == "p":
        now.port = common.port = _whole(value, 1, 65535)
    else:
        raise _Wrong(f"-{letter} is not built in the emulated dig")


def _plus(lookup: _Lookup, word: str) -> None:
    name, equals, value = word[1:].partition("=")
    on = not name.startswith("no")
    name, question = name if on else name[2:], lookup.question
    if name in ("short", "search", "identify"):
        setattr(lookup, name, on)
    elif name in ("tcp", "vc"):
        question.tcp = on
    elif name in ("rec", "recurse", "rdflag"):
        question.recursion = on
    elif name in ("edns", "dnssec", "do"):
        question.edns = on if name == "edns" else question.edns or on
        question.dnssec = on if name != "edns" else question.dnssec
    elif name in ("ignore", "ignor"):
        question.follow = not on
    elif name in ("all", *_PARTS):
        for part in _PARTS if name == "all" else (name,):
            lookup.shown[part] = on
    elif not equals:
        if name in _UNBUILT and on:
            raise _Wrong(f"+{name} is not built in the emulated dig")
        if name not in _NOTHING_CHANGES | _UNBUILT:
            raise _Wrong(f"Invalid option: {word[:100]}")
    else:
        _valued(lookup, word, name, value)


def _valued(lookup: _Lookup, word: str, name: str, value: str) -> None:
    if name in ("time", "timeout"):
        lookup.question.seconds = float(max(_whole(value, 0, 1000), 1))
    elif name == "tries":
        lookup.question.tries = max(_whole(value, 0, 100), 1)
    elif name in ("retry", "retries"):
        lookup.question.tries = _whole(value, 0, 100) + 1
    elif name == "ndots":
        lookup.ndots = _whole(value, 0, 100)
    elif name in ("domain", "dom"):
        lookup.domain, lookup.search = value.rstrip("."), True
    elif name not in _NOTHING_CHANGES:
        raise _Wrong(f"Invalid option: {word[:100]}")


def _whole(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and least <= int(text) <= most):
        raise _Wrong(f"Couldn't parse {text[:40]!r}: not a number from {least} to {most}")
    return int(text)


# ---- what comes ----------------------------------------------------------------------------------


async def _look_up(call: Call, lookup: _Lookup, *, first: bool) -> int:
    told = resolving.configured(call.files)
    servers = told.servers
    if lookup.server:
        address = await reaching.address(call, lookup.server, lookup.family)
        if address is None:
            await call.io.stderr.write(
                f"dig: couldn't get address for '{lookup.server[:255]}': not found\n".encode(
                    errors="replace"
                )
            )
            return _FATAL
        servers = (address,)
    lookup.question.kind = lookup.question.kind or "A"
    found: Answer | None = None
    for full in _names(lookup, told):
        question = dataclasses.replace(lookup.question, name=full)
        try:
            found, troubles = await asking.ask(call, question, servers, lookup.port)
        except asking.Unsendable:
            await call.io.stderr.write(
                f"dig: '{full[:255]}' is not a legal name\n".encode(errors="replace")
            )
            return _FATAL
        await call.out("".join(f";; {one}\n" for one in troubles))
        if found is None or found.record.header.rcode != resolving.NO_DOMAIN:
            break
    if not lookup.short and lookup.shown["cmd"] and first:
        await call.out(_command(call, lookup))
    if found is None:
        await call.out(";; no servers could be reached\n")
        return _NO_REPLY
    await call.out(_shown(call, lookup, found))
    return 0


def _names(lookup: _Lookup, told: resolving.Settings) -> list[str]:
    name = lookup.question.name
    if not lookup.search:
        return [name]
    told = dataclasses.replace(
        told,
        search=(lookup.domain,) if lookup.domain else told.search,
        ndots=told.ndots if lookup.ndots is None else lookup.ndots,
    )
    return resolving.candidates(name, told)


def _command(call: Call, lookup: _Lookup) -> str:
    text = f"\n; <<>> DiG {showing.VERSION} <<>> {' '.join(call.argv[1:])}\n"
    text += "; (1 server found)\n" if lookup.server else ""
    return f"{text};; global options: +cmd\n"


def _shown(call: Call, lookup: _Lookup, found: Answer) -> str:
    if not lookup.short:
        now = call.kernel.clock.now()
        return showing.answer(found, lookup.shown, lookup.server, lookup.port, now)
    told = f" from server {found.server} in {int(found.seconds * 1000)} ms." * lookup.identify
    return "".join(f"{showing.data(one)}{told}\n" for one in found.record.rr)
