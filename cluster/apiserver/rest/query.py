"""Query parameters as options. Pure; bad values get the errors of Kubernetes.

Shapes: ListOptions, CreateOptions, UpdateOptions, PatchOptions and DeleteOptions of
meta.k8s.io/v1; checks: their validation packages.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from cluster.api import causes, errors

Query = Mapping[str, str]

_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_MANAGER_BYTES = 128
_NUMBER = re.compile(r"[+-]?[0-9]+")
_DIGITS = 100  # more are not worth reading, and Python would refuse to


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list, a watch or a deletecollection asks for.

    `timeout` is in seconds, 0 for the server's choice. `initial_events` None: not said. What
    `revision`, `match` and `token` may say together is the registry's to check.
    """

    labels: str = ""
    fields: str = ""
    limit: int = 0
    token: str = ""
    revision: str = ""
    match: str = ""
    watch: bool = False
    timeout: int = 0
    bookmarks: bool = False
    initial_events: bool | None = None


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a write says beside its body. `validation` is Ignore, Warn, Strict or ""."""

    dry_run: bool = False
    manager: str = ""
    validation: str = ""
    force: bool | None = None


_NO_LIST = ListOptions()


def parse(text: str) -> dict[str, str]:
    """The parameters of a query string; where one is repeated, the first counts."""
    if not text:
        return {}
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, value)
    return found


def boolean(query: Query, name: str) -> bool:
    """A flag: absent, `false` (in any case) and `0` are false, everything else is true."""
    value = query.get(name)
    return value is not None and value.lower() != "false" and value != "0"


def number(query: Query, name: str) -> int:
    """A whole number, 0 where it is absent. errors.BadRequest."""
    value = query.get(name)
    if not value:
        return 0
    if _NUMBER.fullmatch(value) is None:
        raise errors.BadRequest(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if len(value) > _DIGITS or not -(2**63) <= int(value) < 2**63:
        raise errors.BadRequest(f'strconv.ParseInt: parsing "{value}": value out of range')
    return int(value)


def for_list(query: Query) -> ListOptions:
    """The options of a list or watch. errors.BadRequest, errors.Invalid."""
    if not query:
        return _NO_LIST
    initial = boolean(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    options = ListOptions(
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        number(query, "limit"),
        query.get("continue", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
        boolean(query, "watch"),
        number(query, "timeoutSeconds"),
        boolean(query, "allowWatchBookmarks"),
        initial,
    )
    found = list(_watch_causes(options) if options.watch else _list_causes(options))
    if found:
        raise errors.invalid("ListOptions", "meta.k8s.io", "", found)
    return options


def for_write(query: Query, user_agent: str, kind: str) -> WriteOptions:
    """The options of a write; `kind` (`CreateOptions`…) is for the error. errors.Invalid."""
    if not query:
        return WriteOptions(manager=manager_of(user_agent))
    dry_run, validation = query.get("dryRun", ""), query.get("fieldValidation", "")
    manager = query.get("fieldManager", "")
    found = []
    if dry_run not in ("", "All"):
        found.append(causes.not_supported("dryRun", [dry_run], ["All"]))
    if validation not in _VALIDATIONS:
        found.append(causes.not_supported("fieldValidation", validation, _VALIDATIONS))
    found += _manager_causes(manager)
    if found:
        raise errors.invalid(kind, "meta.k8s.io", "", found)
    force = boolean(query, "force") if "force" in query else None
    return WriteOptions(dry_run == "All", manager or manager_of(user_agent), validation, force)


def manager_of(user_agent: str) -> str:
    """The field manager of a client that names none: `kubectl` of `kubectl/v1.33.1 (linux…)`.

    Of what cannot be printed nothing is left, and no more than 128 bytes (managerOrUserAgent).
    """
    said = user_agent.partition("/")[0]
    if said.isascii() and said.isprintable():
        return said[:_MANAGER_BYTES]
    printable = "".join(letter for letter in said if letter.isprintable()).encode()
    return printable[:_MANAGER_BYTES].decode(errors="ignore")


def _manager_causes(manager: str) -> Iterable[errors.Cause]:
    if len(manager.encode()) > _MANAGER_BYTES:
        yield causes.too_long("fieldManager", _MANAGER_BYTES)
    for at, letter in enumerate(manager):
        if not letter.isprintable():
            place = len(manager[:at].encode())
            why = f"invalid character U+{ord(letter):04X} (at position {place})"
            yield causes.invalid("fieldManager", manager, why)


def _list_causes(options: ListOptions) -> Iterable[errors.Cause]:
    if options.initial_events is not None:
        yield causes.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _watch_causes(options: ListOptions) -> Iterable[errors.Cause]:
    path = "resourceVersionMatch"
    if options.initial_events is None:
        if options.match:
            why = f"{path} is forbidden for watch unless sendInitialEvents is provided"
            yield causes.forbidden(path, why)
        return
    if options.match != "NotOlderThan":
        why = f"sendInitialEvents requires setting {path} to NotOlderThan"
        yield causes.forbidden(path, why)
