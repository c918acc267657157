"""From nginx' directives to what it serves. Pure.

A level inherits the settings of the one round it; what is a list there (headers, error pages, logs,
headers to upstreams) is replaced as a whole by a level that has one of its own, as in nginx.
"""

import dataclasses
import posixpath
from collections.abc import Callable, Sequence
from typing import Any, Final

from cluster.runtime.emulated.nginx import directives, rules, values
from cluster.runtime.emulated.nginx.model import (
    COMBINED,
    AccessLog,
    Configuration,
    ErrorPage,
    Header,
    Listen,
    Location,
    Map,
    Peer,
    Server,
    Settings,
    Upstream,
)
from cluster.runtime.emulated.nginx.parsing import Directive, Emergency
from cluster.runtime.emulated.nginx.variables import Word, compiled, known
from cluster.runtime.emulated.web.messages import split_host

_PREFIX: Final = "/etc/nginx"
_FLAGS: Final = {
    "autoindex": "autoindex", "etag": "etag", "absolute_redirect": "absolute_redirect",
    "port_in_redirect": "port_in_redirect", "log_not_found": "log_not_found",
    "server_name_in_redirect": "name_in_redirect",
    "recursive_error_pages": "recursive_error_pages",
    "proxy_intercept_errors": "proxy_intercept",
}  # fmt: skip
_TIMES: Final = {
    "keepalive_timeout": "keepalive", "client_body_timeout": "body_timeout",
    "proxy_connect_timeout": "proxy_connect", "proxy_read_timeout": "proxy_read",
}  # fmt: skip
_WORDS: Final = {"root": "root", "proxy_method": "proxy_method", "proxy_set_body": "proxy_body",
                 "auth_basic_user_file": "passwords"}  # fmt: skip
_LISTS_TEXT: Final = (
    "add_header error_page access_log proxy_set_header allow deny index proxy_hide_header "
    "proxy_pass_header types"
)
_LISTS: Final = frozenset(_LISTS_TEXT.split())


class Builder:
    """Builds one configuration."""

    def __init__(self) -> None:
        self._formats: dict[str, Word] = {"combined": COMBINED}
        self._own: set[str] = set()
        self._used: dict[str, None] = {}
        self._notices: dict[str, None] = {}

    def build(self, main: Sequence[Directive]) -> Configuration:
        """The configuration. Emergency."""
        found = Configuration()
        if not any(one.name == "events" for one in main):
            raise Emergency('no "events" section in configuration')
        top = Settings()
        for one in main:
            self._note(one)
            if one.name == "error_log":
                found.error_log = _error_log(one)
            elif one.name == "daemon":
                found.daemon = values.flag(one)
            elif one.name == "pid":
                found.pid = posixpath.join(_PREFIX, one.args[0])
            elif one.name == "worker_processes" and one.args[0].isdigit():
                found.workers = max(1, min(int(one.args[0]), 64))
        top.error_log = found.error_log
        for one in main:
            if one.name == "http":
                self._http(one, top, found)
        found.names = frozenset(self._own)
        for name in self._used:
            if not known(name, found.names):
                raise Emergency(f'unknown "{name}" variable')
        found.notices = tuple(self._notices)
        return found

    def word(self, text: str) -> Word:
        """A word whose variables must be known in the end."""
        made = compiled(text)
        self._used.update(dict.fromkeys(made.names))
        return made

    def makes(self, names: Sequence[str]) -> None:
        """Variables that the configuration makes."""
        self._own.update(name.lower() for name in names)

    def _note(self, one: Directive) -> None:
        if one.name in directives.MATTER:
            where = f"{one.place.file}:{one.place.line}"
            self._notices[f'"{one.name}" in {where} is not built in the emulated nginx'] = None

    # ---- http --------------------------------------------------------------------------------

    def _http(self, http: Directive, top: Settings, found: Configuration) -> None:
        block = http.block or ()
        upstreams: dict[str, Upstream] = {}
        maps: dict[str, Map] = {}
        for one in block:
            if one.name == "log_format":
                texts = [text for text in one.args[1:] if not text.startswith("escape=")]
                self._formats[one.args[0]] = self.word("".join(texts))
            elif one.name == "upstream":
                upstreams[one.args[0]] = self._upstream(one)
            elif one.name == "map":
                maps[self._variable(one, one.args[1])] = self._map(one)
            elif one.name in ("geo", "split_clients", "auth_request_set"):
                self._variable(one, one.args[-1])
        settings = self.settings(block, top)
        servers = [self._server(one, settings) for one in block if one.name == "server"]
        found.servers, found.upstreams, found.maps = tuple(servers), upstreams, maps
        _check_defaults(block, servers)

    def _variable(self, one: Directive, text: str) -> str:
        if not text.startswith("$") or len(text) < 2:
            raise one.place.fault(f'invalid variable name "{text}"')
        self.makes([text[1:]])
        return text[1:].lower()

    def _upstream(self, block: Directive) -> Upstream:
        peers: list[Peer] = []
        for one in block.block or ():
            self._note(one)
            if one.name != "server":
                continue
            host, port = split_host(one.args[0], 80)
            weight = 1
            for word in one.args[1:]:
                if word.startswith("weight=") and word[7:].isdigit():
                    weight = max(1, min(int(word[7:10]), 100))
            words = one.args[1:]
            peers.append(Peer(host, port, weight, "backup" in words, "down" in words))
        if not peers:
            raise block.place.fault("no servers are inside upstream")
        return Upstream(block.args[0], tuple(peers))

    def _map(self, block: Directive) -> Map:
        exact: dict[str, Word] = {}
        patterns = []
        default, hostnames = compiled(""), False
        for one in block.block or ():
            if one.name == "hostnames" and not one.args:
                hostnames = True
            elif one.name in ("volatile", "include") or not one.args:
                continue
            elif one.name == "default":
                default = self.word(one.args[0])
            elif one.name.startswith("~"):
                caseless = one.name.startswith("~*")
                pattern = values.pattern(one.name[1 + caseless :], one, caseless=caseless)
                self.makes(pattern.names)
                patterns.append((pattern, self.word(one.args[0])))
            else:
                exact[one.name.removeprefix("\\").lower()] = self.word(one.args[0])
        return Map(self.word(block.args[0]), exact, tuple(patterns), default, hostnames)

    # ---- servers and locations ---------------------------------------------------------------

    def _server(self, block: Directive, outer: Settings) -> Server:
        inside = block.block or ()
        listens = [values.listen(one) for one in inside if one.name == "listen"]
        names: list[str] = []
        patterns = []
        certificate = key = ""
        for one in inside:
            if one.name == "server_name":
                for text in one.args:
                    if text.startswith("~"):
                        patterns.append(values.pattern(text[1:], one, caseless=True))
                        self.makes(patterns[-1].names)
                    else:
                        names.append(text.lower())
            elif one.name == "ssl_certificate":
                certificate = one.args[0]
            elif one.name == "ssl_certificate_key":
                key = one.args[0]
        tls = any(one.tls for one in listens)
        if tls and not certificate:
            raise block.place.fault('no "ssl_certificate" is defined for the "listen ... ssl" '
                                    "directive")  # fmt: skip
        own = self.location(block, "server", "", outer, outer_path="")
        chosen = tuple(listens) or (Listen("0.0.0.0", 80, shown="80"),)
        return Server(chosen, tuple(names), tuple(patterns), own, certificate, key)

    def location(
        self, block: Directive, kind: str, text: str, outer: Settings, *, outer_path: str
    ) -> Location:
        """A block that has settings and rules: a server, a location, an `if`."""
        inside = block.block or ()
        made = Location(kind, text, self.settings(inside, outer))
        if kind in ("~", "~*"):
            made.pattern = values.pattern(text, block, caseless=kind == "~*")
            self.makes(made.pattern.names)
        made.rules = rules.compiled_rules(self, inside, made.settings)
        for one in inside:
            if one.name == "try_files":
                if len(one.args) < 2:
                    raise one.place.fault('invalid number of arguments in "try_files" directive')
                made.try_files = tuple(self.word(word) for word in one.args)
            elif one.name == "proxy_pass":
                made.proxy = rules.proxy_pass(self, one, kind)
            elif one.name in ("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass",
                              "memcached_pass"):  # fmt: skip
                made.missing = one.name
            elif one.name == "internal":
                made.internal = True
            elif one.name == "stub_status":
                made.status_page = True
            elif one.name == "empty_gif":
                made.gif = True
        made.locations = self._locations(inside, made, outer_path)
        return made

    def _locations(
        self, inside: Sequence[Directive], outer: Location, outer_path: str
    ) -> tuple[Location, ...]:
        found: list[Location] = []
        for one in inside:
            if one.name != "location":
                continue
            kind, text = rules.location_words(one)
            if outer_path and kind in ("", "=", "^~") and not text.startswith(outer_path):
                raise one.place.fault(f'location "{text}" is outside location "{outer_path}"')
            same = (kind == "=", kind in ("~", "~*"), kind, text)
            for other in found:
                if (
                    other.text == text
                    and kind not in ("~", "~*")
                    and ((other.kind == "=") == same[0] and other.kind not in ("~", "~*"))
                ):
                    raise one.place.fault(f'duplicate location "{text}"')
            path = text if kind in ("", "^~") else ""
            found.append(self.location(one, kind, text, outer.settings, outer_path=path))
        return tuple(found)

    # ---- settings ----------------------------------------------------------------------------

    def settings(self, block: Sequence[Directive], outer: Settings) -> Settings:
        """What holds in a block."""
        made = dataclasses.replace(outer, alias=None)
        lists: dict[str, list[Directive]] = {}
        for one in block:
            self._note(one)
            if one.name in _LISTS or one.name == "proxy_redirect":
                lists.setdefault(one.name, []).append(one)
            elif one.name in _FLAGS:
                setattr(made, _FLAGS[one.name], values.flag(one))
            elif one.name in _TIMES:
                setattr(made, _TIMES[one.name], values.seconds(one))
            elif one.name in _WORDS:
                setattr(made, _WORDS[one.name], self.word(one.args[0]))
            elif one.name in _SINGLE:
                _SINGLE[one.name](self, made, one)
        if "root" in (one.name for one in block) and "alias" in (one.name for one in block):
            raise next(one for one in block if one.name == "alias").place.fault(
                '"alias" directive is duplicate, "root" directive was specified earlier'
            )
        self._lists(made, lists)
        return made

    def _lists(self, made: Settings, lists: dict[str, list[Directive]]) -> None:
        if "index" in lists:
            made.index = tuple(self.word(text) for one in lists["index"] for text in one.args)
        if "add_header" in lists:
            made.headers = tuple(self._header(one) for one in lists["add_header"])
        if "error_page" in lists:
            pages: dict[int, ErrorPage] = {}
            for one in lists["error_page"]:
                pages.update(self._error_page(one))
            made.error_pages = pages
        if "access_log" in lists:
            logs = [self._access_log(one) for one in lists["access_log"]]
            made.access_logs = tuple(log for log in logs if log is not None)
        if "proxy_set_header" in lists:
            made.proxy_headers = tuple(
                (one.args[0], self.word(one.args[1])) for one in lists["proxy_set_header"]
            )
        access = lists.get("allow", []) + lists.get("deny", [])
        if access:
            access.sort(key=lambda one: one.place.line)
            made.access = tuple((one.name == "allow", values.network(one)) for one in access)
        made.proxy_hidden |= {one.args[0].lower() for one in lists.get("proxy_hide_header", ())}
        made.proxy_passed |= {one.args[0].lower() for one in lists.get("proxy_pass_header", ())}
        if "types" in lists:
            made.types = {
                end: line.name
                for one in lists["types"]
                for line in one.block or ()
                for end in line.args
            }
        if "proxy_redirect" in lists:
            made.proxy_redirect = self._redirects(lists["proxy_redirect"])

    def _redirects(self, found: Sequence[Directive]) -> tuple[tuple[Word, Word], ...] | None:
        pairs = []
        for one in found:
            if one.args == ("off",):
                return ()
            if one.args == ("default",):
                return None
            if len(one.args) == 2:
                pairs.append((self.word(one.args[0]), self.word(one.args[1])))
        return tuple(pairs)

    def _header(self, one: Directive) -> Header:
        if len(one.args) == 3 and one.args[2] != "always":
            raise one.place.fault(f'invalid parameter "{one.args[2]}"')
        return Header(one.args[0], self.word(one.args[1]), len(one.args) == 3)

    def _error_page(self, one: Directive) -> dict[int, ErrorPage]:
        *codes, target = one.args
        status = 0
        if codes and codes[-1].startswith("="):
            text = codes.pop()[1:]
            status = int(text) if text.isdigit() and len(text) == 3 else -1
        if not codes:
            raise one.place.fault('invalid number of arguments in "error_page" directive')
        for code in codes:
            if not (code.isdigit() and 300 <= int(code[:4]) <= 599):
                raise one.place.fault(f'value "{code}" must be between 300 and 599')
        page = ErrorPage(self.word(target), status)
        return {int(code): page for code in codes}

    def _access_log(self, one: Directive) -> AccessLog | None:
        if one.args[0] == "off":
            return None
        form, condition = "combined", None
        for number, word in enumerate(one.args[1:]):
            if word.startswith("if="):
                condition = self.word(word[3:])
            elif number == 0 and "=" not in word:
                form = word
        if form not in self._formats:
            raise one.place.fault(f'unknown log format "{form}"')
        return AccessLog(self.word(one.args[0]), self._formats[form], condition)


def _error_log(one: Directive) -> tuple[str, str]:
    level = one.args[1] if len(one.args) > 1 else "error"
    if level not in LEVELS:
        raise one.place.fault(f'invalid log level "{level}"')
    return one.args[0], level


LEVELS: Final = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")


def _set_error_log(_builder: Builder, made: Settings, one: Directive) -> None:
    made.error_log = _error_log(one)


def _set_alias(builder: Builder, made: Settings, one: Directive) -> None:
    made.alias = builder.word(one.args[0])


def _set_default_type(_builder: Builder, made: Settings, one: Directive) -> None:
    made.default_type = one.args[0]


def _set_charset(_builder: Builder, made: Settings, one: Directive) -> None:
    made.charset = "" if one.args[0] == "off" else one.args[0]


def _set_expires(_builder: Builder, made: Settings, one: Directive) -> None:
    made.expires = "" if one.args[0] == "off" else one.args[-1]


def _set_max_body(_builder: Builder, made: Settings, one: Directive) -> None:
    made.max_body = values.size(one)


def _set_tokens(_builder: Builder, made: Settings, one: Directive) -> None:
    made.tokens = one.args[0] != "off"


def _set_realm(builder: Builder, made: Settings, one: Directive) -> None:
    made.realm = None if one.args[0] == "off" else builder.word(one.args[0])


def _set_satisfy(_builder: Builder, made: Settings, one: Directive) -> None:
    made.satisfy_any = one.args[0] == "any"


def _set_minor(_builder: Builder, made: Settings, one: Directive) -> None:
    made.proxy_minor = 1 if one.args[0] == "1.1" else 0


def _set_next(_builder: Builder, made: Settings, one: Directive) -> None:
    made.proxy_next = () if one.args == ("off",) else one.args


def _set_modified(_builder: Builder, made: Settings, one: Directive) -> None:
    made.modified_since = one.args[0]


def _set_resolver(_builder: Builder, made: Settings, _one: Directive) -> None:
    made.resolver = True


_SINGLE: Final[dict[str, Callable[[Any, Settings, Directive], None]]] = {
    "error_log": _set_error_log, "alias": _set_alias, "default_type": _set_default_type,
    "charset": _set_charset, "expires": _set_expires, "client_max_body_size": _set_max_body,
    "server_tokens": _set_tokens, "auth_basic": _set_realm, "satisfy": _set_satisfy,
    "proxy_http_version": _set_minor, "proxy_next_upstream": _set_next,
    "if_modified_since": _set_modified, "resolver": _set_resolver,
}  # fmt: skip


def _check_defaults(block: Sequence[Directive], servers: Sequence[Server]) -> None:
    """One default server a listening address."""
    seen: set[tuple[str, int]] = set()
    places = [one for one in block if one.name == "server"]
    for place, server in zip(places, servers, strict=True):
        for one in server.listens:
            where = (one.address, one.port)
            if one.default and where in seen:
                raise place.place.fault(f"a duplicate default server for {one.address}:{one.port}")
            if one.default:
                seen.add(where)


def warnings(servers: Sequence[Server]) -> list[str]:
    """Server names that an earlier server of the same address has."""
    seen: set[tuple[str, int, str]] = set()
    found: list[str] = []
    for server in servers:
        for one in server.listens:
            for name in server.names:
                key = (one.address, one.port, name)
                if key in seen and name:
                    found.append(
                        f'conflicting server name "{name}" on {one.address}:{one.port}, ignored'
                    )
                seen.add(key)
    return found
