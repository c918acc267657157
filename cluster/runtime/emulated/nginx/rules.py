"""The rules of nginx' rewrite module, and the words of `location` and `proxy_pass`. Pure."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cluster.runtime.emulated.nginx import values
from cluster.runtime.emulated.nginx.model import (
    Assign,
    Break,
    Condition,
    If,
    ProxyPass,
    Return,
    Rewrite,
    Rule,
    Settings,
)
from cluster.runtime.emulated.nginx.parsing import Directive
from cluster.runtime.emulated.web.messages import split_host

if TYPE_CHECKING:
    from cluster.runtime.emulated.nginx.building import Builder

_KINDS: Final = ("=", "^~", "~", "~*")
_FLAGS: Final = ("last", "break", "redirect", "permanent")
_FILES: Final = tuple(f"{sign}-{letter}" for letter in "fdex" for sign in ("", "!"))
_TARGET: Final = re.compile(r"(https?)://([^/$]*)(.*)", re.DOTALL)


def location_words(one: Directive) -> tuple[str, str]:
    """Kind and text of a location."""
    if len(one.args) == 2:
        kind, text = one.args
        if kind not in _KINDS:
            raise one.place.fault(f'invalid location modifier "{kind}"')
        return kind, text
    text = one.args[0]
    for kind in ("~*", "^~", "=", "~"):
        if text.startswith(kind):
            return kind, text[len(kind) :]
    return ("@" if text.startswith("@") else ""), text


def compiled_rules(
    builder: "Builder", block: Sequence[Directive], settings: Settings
) -> tuple[Rule, ...]:
    """The rules of a block, in order."""
    found: list[Rule] = []
    for one in block:
        match one.name:
            case "return":
                found.append(_return(builder, one))
            case "rewrite":
                found.append(_rewrite(builder, one))
            case "set":
                name = one.args[0]
                if not name.startswith("$"):
                    raise one.place.fault(f'invalid variable name "{name}"')
                builder.makes([name[1:]])
                found.append(Assign(name[1:].lower(), builder.word(one.args[1])))
            case "break":
                found.append(Break())
            case "if":
                condition = _condition(builder, one)
                inside = builder.location(one, "if", "", settings, outer_path="")
                found.append(If(condition, inside))
            case _:
                pass
    return tuple(found)


def _return(builder: "Builder", one: Directive) -> Return:
    first = one.args[0]
    if len(one.args) == 1 and first.startswith(("http://", "https://", "$scheme")):
        return Return(302, builder.word(first))
    if not (first.isascii() and first.isdigit() and int(first[:4]) <= 999):
        raise one.place.fault(f'invalid return code "{first}"')
    return Return(int(first), builder.word(one.args[1]) if len(one.args) == 2 else None)


def _rewrite(builder: "Builder", one: Directive) -> Rewrite:
    pattern = values.pattern(one.args[0], one)
    builder.makes(pattern.names)
    flag = one.args[2] if len(one.args) == 3 else ""
    if flag and flag not in _FLAGS:
        raise one.place.fault(f'invalid parameter "{flag}"')
    target = one.args[1]
    if not flag and target.startswith(("http://", "https://", "$scheme")):
        flag = "redirect"
    return Rewrite(pattern, builder.word(target), flag)


def _condition(builder: "Builder", one: Directive) -> Condition:
    words = list(one.args)
    if not words[0].startswith("(") or not words[-1].endswith(")"):
        raise one.place.fault(f'invalid condition "{words[0]}"')
    words[0] = words[0][1:]
    words[-1] = words[-1][:-1]
    words = [word for number, word in enumerate(words) if word or 0 < number < len(words) - 1]
    if len(words) == 1 and words[0].startswith("$"):
        return Condition("set", builder.word(words[0]))
    if len(words) == 2 and words[0] in _FILES:
        return Condition(words[0], builder.word(words[1]))
    if len(words) in (2, 3) and words[0].startswith("$"):
        kind, right = words[1], words[2] if len(words) == 3 else ""
        if kind in ("=", "!="):
            return Condition(kind, builder.word(words[0]), right)
        if kind in ("~", "~*", "!~", "!~*"):
            pattern = values.pattern(right, one, caseless=kind.endswith("*"))
            builder.makes(pattern.names)
            return Condition(kind.removesuffix("*"), builder.word(words[0]), right, pattern)
        raise one.place.fault(f'unexpected "{kind}" in condition')
    raise one.place.fault(f'invalid condition "{words[0] if words else ""}"')


def proxy_pass(builder: "Builder", one: Directive, kind: str) -> ProxyPass:
    """The target of `proxy_pass`."""
    text = one.args[0]
    whole = builder.word(text)
    if not whole.constant:
        return ProxyPass("http", "", 0, None, whole)
    match = _TARGET.fullmatch(text)
    if match is None:
        raise one.place.fault("invalid URL prefix")
    scheme, where, uri = match[1], match[2], match[3]
    if uri and kind in ("~", "~*", "if", "@"):
        raise one.place.fault(
            '"proxy_pass" cannot have URI part in location given by regular expression, or inside '
            'named location, or inside "if" statement, or inside "limit_except" block'
        )
    if not where:
        raise one.place.fault(f'no host in upstream "{where}{uri}"')
    host, port = split_host(where, 443 if scheme == "https" else 80)
    return ProxyPass(scheme, host, port, uri or None)
