"""curl's command line: options to values, without a look at any file. Pure.

Source: `man curl`; the words of refusals are those that curl says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

VERSION: Final = "8.11.1"
_FLAGS: Final = {
    "s": "silent", "S": "show-error", "I": "head", "i": "include", "v": "verbose", "L": "location",
    "k": "insecure", "f": "fail", "G": "get", "O": "remote-name", "4": "ipv4", "6": "ipv6",
    "N": "no-buffer", "0": "http1.0", "#": "progress-bar", "g": "globoff", "V": "version",
    "h": "help", "q": "disable", "J": "remote-header-name", "R": "remote-time", "j": "junk",
}  # fmt: skip
_VALUED: Final = {
    "o": "output", "X": "request", "d": "data", "H": "header", "w": "write-out", "m": "max-time",
    "u": "user", "A": "user-agent", "e": "referer", "b": "cookie", "T": "upload-file", "F": "form",
    "D": "dump-header", "r": "range", "c": "cookie-jar", "x": "proxy", "E": "cert",
}  # fmt: skip
_LONG_FLAGS: Final = frozenset(_FLAGS.values()) | {
    "fail-with-body", "retry-connrefused", "retry-all-errors", "compressed", "http1.1", "http2",
    "no-progress-meter", "create-dirs", "location-trusted", "path-as-is", "tcp-nodelay",
    "no-keepalive", "post301", "post302", "post303", "http2-prior-knowledge", "styled-output",
    "tlsv1.2", "tlsv1.3", "fail-early", "remote-name-all", "basic", "show-headers", "raw",
}  # fmt: skip
_LONG_VALUED: Final = frozenset(_VALUED.values()) | {
    "connect-timeout", "retry", "retry-delay", "retry-max-time", "max-redirs", "data-raw",
    "data-binary", "data-ascii", "data-urlencode", "json", "url", "resolve", "cacert", "noproxy",
    "output-dir", "connect-to", "key", "keepalive-time", "limit-rate", "oauth2-bearer",
}  # fmt: skip
_NUMBERS: Final = {"max-time", "connect-timeout", "retry", "retry-delay", "retry-max-time",
                   "max-redirs"}  # fmt: skip
NOT_BUILT: Final = frozenset(
    (
        "http2-prior-knowledge",
        "http1.0",
        "proxy",
        "connect-to",
        "limit-rate",
        "cert",
        "key",
        "cookie-jar",
    )
)
"""Known to curl, not to this one: refused, for without them it would do another thing."""
_DATA: Final = frozenset(
    ("data", "data-raw", "data-binary", "data-ascii", "data-urlencode", "json", "form")
)
_MANY: Final = frozenset(("header", "output", "url", "resolve", "cookie", "remote-name")) | _DATA
_SEE: Final = "curl: try 'curl --help' or 'curl --manual' for more information\n"


class Refused(Exception):
    """It cannot be done: `code` is curl's own, the message is whole."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class Options:
    """What was asked for. `data` are options of data and their values, in order."""

    urls: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    """Of -o and -O in order; an empty one is -O's."""
    data: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    resolve: dict[tuple[str, int], str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether a flag is set."""
        return name in self.flags

    def number(self, name: str, default: float = 0.0) -> float:
        """The value of an option that is a number."""
        return float(self.values.get(name, default))


def read(words: Sequence[str]) -> Options:
    """Read a command line without the program's name. Refused."""
    found = Options()
    rest = list(words)
    only_urls = False
    while rest:
        word = rest.pop(0)
        if only_urls or not word.startswith("-") or word == "-":
            found.urls.append(word)
        elif word == "--":
            only_urls = True
        elif word.startswith("--"):
            _long(found, word, rest)
        else:
            _short(found, word, rest)
    return found


def _long(found: Options, word: str, rest: list[str]) -> None:
    name = word[2:]
    plain = name.removeprefix("no-")
    if name in _LONG_FLAGS:
        _flag(found, name, word)
    elif name in _LONG_VALUED:
        if not rest:
            raise _usage(f"option {word}: requires parameter")
        _value(found, name, rest.pop(0), word)
    elif plain != name and plain in _LONG_FLAGS:
        found.flags.discard(plain)
    else:
        raise _usage(f"option {word[:80]}: is unknown")


def _short(found: Options, word: str, rest: list[str]) -> None:
    for at, letter in enumerate(word[1:], 1):
        if letter in _FLAGS:
            _flag(found, _FLAGS[letter], f"-{letter}")
            continue
        if letter not in _VALUED:
            raise _usage(f"option {word[:80]}: is unknown")
        value = word[at + 1 :]
        if not value:
            if not rest:
                raise _usage(f"option {word[:80]}: requires parameter")
            value = rest.pop(0)
        _value(found, _VALUED[letter], value, f"-{letter}")
        return


def _flag(found: Options, name: str, shown: str) -> None:
    if name in NOT_BUILT:
        raise Refused(2, f"curl: option {shown}: not emulated\n")
    if name == "remote-name":
        found.targets.append("")
    found.flags.add({"show-headers": "include"}.get(name, name))


def _value(found: Options, name: str, value: str, shown: str) -> None:
    if name in NOT_BUILT:
        raise Refused(2, f"curl: option {shown}: not emulated\n")
    if name in _NUMBERS:
        if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            raise _usage(f"option {shown}: expected a proper numerical parameter")
        found.values[name] = value
    elif name == "resolve":
        host, port, address = (*value.lstrip("+").split(":", 2), "", "")[:3]
        if not (host and port.isdigit() and len(port) < 6 and address):
            raise Refused(49, f"curl: (49) Couldn't parse CURLOPT_RESOLVE entry '{value[:80]}'\n")
        found.resolve[host.lower(), int(port)] = address.split(",")[0].strip("[]")
    elif name in _MANY:
        {"header": found.headers, "output": found.targets, "url": found.urls,
         "cookie": found.cookies}.get(name, []).append(value)  # fmt: skip
        if name in _DATA:
            found.data.append((name, value))
    else:
        found.values[name] = value


def _usage(text: str) -> Refused:
    return Refused(2, f"curl: {text}\n{_SEE}")


NO_URL: Final = Refused(2, "curl: (2) no URL specified\n")
HELP: Final = """Usage: curl [options...] <url>
 -d, --data <data>           HTTP POST data
 -f, --fail                  Fail fast with no output on HTTP errors
 -h, --help <subject>        Get help for commands
 -o, --output <file>         Write to file instead of stdout
 -O, --remote-name           Write output to file named as remote file
 -i, --show-headers          Show response headers in output
 -s, --silent                Silent mode
 -T, --upload-file <file>    Transfer local FILE to destination
 -u, --user <user:password>  Server user and password
 -A, --user-agent <name>     Send User-Agent <name> to server
 -v, --verbose               Make the operation more talkative
 -V, --version               Show version number and quit

This curl is emulated by kubemu: HTTP and HTTPS/1.1 and telnet.
"""
ABOUT: Final = f"""curl {VERSION} (emulated by kubemu)
Release-Date: 2024-12-11
Protocols: http https telnet
Features: IPv6 SSL
"""
