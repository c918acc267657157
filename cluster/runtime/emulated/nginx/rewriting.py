"""The rules of the rewrite module: set, break, return, rewrite and if. Source: its reference."""

from collections.abc import Sequence

from cluster.runtime.emulated.nginx import responding
from cluster.runtime.emulated.nginx.exchange import Exchange, Fault
from cluster.runtime.emulated.nginx.model import (
    Assign,
    Break,
    Condition,
    If,
    Location,
    Return,
    Rewrite,
    Rule,
)
from cluster.runtime.emulated.nginx.responding import REDIRECTS, Answered
from cluster.runtime.emulated.web.messages import Headers, Response
from cluster.runtime.vos.files import FileSystem
from cluster.runtime.vos.nodes import File, Folder


class Rules:
    """Carries rules out; conditions look at files."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files

    def run(self, exchange: Exchange, rules: Sequence[Rule]) -> Response | None:
        """Carry out rules; the answer where one gives it. Fault."""
        for rule in rules:
            match rule:
                case Assign():
                    exchange.own[rule.name] = rule.value.of(exchange.look)
                case Break():
                    exchange.broken = True
                    return None
                case Return():
                    return _return(exchange, rule)
                case Rewrite():
                    stop = _rewrite(exchange, rule)
                    if stop:
                        return None
                case If():
                    if self._holds(exchange, rule.condition):
                        _enter(exchange, rule.location)
                        response = self.run(exchange, rule.location.rules)
                        if response is not None or exchange.broken:
                            return response
        return None

    def _holds(self, exchange: Exchange, condition: Condition) -> bool:
        value = condition.left.of(exchange.look)
        kind = condition.kind
        if condition.pattern is not None:
            match = condition.pattern.program.search(value)
            if match is not None:
                exchange.captures = [match.group(0), *(one or "" for one in match.groups())]
            return (match is not None) != kind.startswith("!")
        if kind == "set":
            return value not in ("", "0")
        if kind in ("=", "!="):
            return (value == condition.right) == (kind == "=")
        return self.there(value, kind[-1]) != kind.startswith("!")

    def there(self, path: str, what: str) -> bool:
        """Whether there is a file (f), a folder (d), either (e), or what can be run (x)."""
        try:
            node = self._files.find(path)
        except OSError:
            return False
        if what == "f":
            return isinstance(node, File)
        return isinstance(node, Folder) if what == "d" else what == "e" or bool(node.mode & 0o111)


def _enter(exchange: Exchange, inside: Location) -> None:
    """From now on it is the `if` that says what holds, with the location's own content."""
    outer = exchange.location
    exchange.location = Location(
        outer.kind, outer.text, inside.settings, outer.pattern, (), outer.locations,
        outer.try_files if inside.proxy is None else (), inside.proxy or outer.proxy,
        inside.missing or outer.missing, outer.internal, outer.status_page, outer.gif,
    )  # fmt: skip
    if inside.settings.alias is None:
        exchange.location.settings.alias = outer.settings.alias


def _return(exchange: Exchange, rule: Return) -> Response:
    text = rule.text.of(exchange.look) if rule.text is not None else ""
    if rule.code == 444:
        return Response(444, drop=True)
    if rule.code in REDIRECTS:
        return responding.redirect(exchange, rule.code, text)
    if rule.text is None:
        if rule.code >= 300:
            raise Fault(rule.code)
        return Response(rule.code)
    kind = responding.kind_of(exchange.settings, exchange.uri)
    data = text.encode("utf-8", "surrogateescape")
    return Response(rule.code, Headers([("Content-Type", kind)]), data)


def _rewrite(exchange: Exchange, rule: Rewrite) -> bool:
    """Whether the rules end with it. Fault."""
    match = rule.pattern.program.search(exchange.uri)
    if match is None:
        return False
    exchange.captures = [match.group(0), *(one or "" for one in match.groups())]
    exchange.own |= {name.lower(): match.group(name) or "" for name in rule.pattern.names}
    made = rule.target.of(exchange.look)
    if rule.flag in ("redirect", "permanent"):
        code = 301 if rule.flag == "permanent" else 302
        if made.endswith("?"):
            made = made[:-1]
        elif exchange.args:
            made += ("&" if "?" in made else "?") + exchange.args
        raise Answered(responding.redirect(exchange, code, made))
    path, mark, query = made.partition("?")
    if mark:
        exchange.args = f"{query}&{exchange.args}" if query and exchange.args else query
        if not query:
            exchange.args = ""
    exchange.uri = path if path.startswith("/") else f"/{path}"
    exchange.changed, exchange.broken = True, rule.flag == "break"
    return rule.flag != ""
