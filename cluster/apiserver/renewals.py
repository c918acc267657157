"""Renewals of leases: the commonest write of a cluster, known again by its text.

A lease that is renewed differs from what it was in two times: when it was renewed, and when its one
manager wrote. Whoever renews it sends the same patch but for the first. So where all the rules have
made of one text and one patch another text that differs from the first in these two times alone,
they make of that text and the next patch the text with the next times: nothing that they look at is
another. No rule judges a renewal by its time. Whatever else differs, by a letter, goes through all
the rules; so does everything where a plugin of admission heeds what leases say.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from cluster.api import timestamps
from cluster.api.operations import MERGE_PATCH
from cluster.apiserver import codec
from cluster.apiserver.admission.chain import Chain
from cluster.apiserver.plan import Call, Plan
from cluster.apiserver.watchcache.entry import Entry

LEASES: Final = "leases.coordination.k8s.io"
_KEPT: Final = 16384
_DAY: Final = (
    rb"(?!0000)\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    rb"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_TIME: Final = rb"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_RENEWED: Final = re.compile(rb'(?<="renewTime":")' + _DAY + _TIME + rb'\.\d{6}Z(?=")')
_WRITTEN: Final = re.compile(rb'(?<="time":")' + _DAY + _TIME + rb'Z(?=")')

Slow = Callable[[Call, Chain], Plan | Entry]


class _Text:
    """The text of a lease: what stands around its two times, and these."""

    __slots__ = ("around", "renewed", "written")

    def __init__(self, around: tuple[bytes, bytes, bytes], written: bytes, renewed: bytes) -> None:
        self.around = around
        self.written = written
        self.renewed = renewed

    def at(self, written: bytes, renewed: bytes) -> bytes:
        """The text with other times."""
        before, between, after = self.around
        return b"%b%b%b%b%b" % (before, written, between, renewed, after)


class _Renewal:
    """How a lease was last renewed: by whom, by which patch, and what it was then."""

    __slots__ = ("by", "patch", "text", "user")

    def __init__(
        self, user: object, by: tuple[Any, ...], patch: tuple[bytes, bytes], text: _Text
    ) -> None:
        self.user = user
        self.by = by
        self.patch = patch
        self.text = text


_known: Final[dict[str, _Renewal]] = {}


def concerns(call: Call) -> bool:
    """Whether a patch may be a renewal."""
    return (
        call.row.id == LEASES
        and call.operation.patch_type == MERGE_PATCH
        and not call.operation.subresource
    )


def patch(call: Call, chain: Chain, slow: Slow) -> Plan | Entry:
    """What `slow` would plan, which is asked where this is not known to be a mere renewal."""
    entry = call.found()
    if entry is None or call.row is not call.stored or chain.heeds_renewals(LEASES):
        return slow(call, chain)
    known = _known.get(entry.key)
    if known is not None:
        value = _renewed(known, call, entry)
        if value is not None:
            return Plan(entry.key, value, entry.revision, entry)
    plan = slow(call, chain)
    if isinstance(plan, Plan) and plan.value is not None:
        _learn(call, entry, plan)
    return plan


def _by(call: Call) -> tuple[Any, ...]:
    """What of a request, besides its user and body, its plan depends on."""
    operation = call.operation
    return (call.row, call.version, operation.field_manager, operation.field_validation)


def _renewed(known: _Renewal, call: Call, entry: Entry) -> bytes | None:
    """The lease as this patch leaves it; None: it is not the next of a row of renewals."""
    head, tail = known.patch
    body = call.operation.body
    renewed = body[len(head) : len(body) - len(tail)]
    text = known.text
    if (
        renewed == text.renewed
        or not (body.startswith(head) and body.endswith(tail))
        or not _only(_RENEWED, body, renewed)
        or not (known.user is call.user or known.user == call.user)
        or known.by != _by(call)
        or entry.json != codec.with_revision(text.at(text.written, text.renewed), entry.revision)
    ):
        return None
    text.written, text.renewed = timestamps.encode(call.now).encode(), renewed
    return text.at(text.written, renewed)


def _only(pattern: re.Pattern[bytes], body: bytes, wanted: bytes) -> bool:
    found = pattern.search(body)
    return found is not None and found[0] == wanted


def _learn(call: Call, entry: Entry, plan: Plan) -> None:
    """Remember a patch by all the rules, where it was a mere renewal."""
    _known.pop(entry.key, None)
    body = call.operation.body
    times = [*_RENEWED.finditer(body)]
    if len(times) != 1 or plan.value is None or plan.firm or call.warnings or call.notes:
        return
    before, after = _text(_plain(entry)), _text(plan.value)
    if before is None or after is None or before.around != after.around:
        return
    if after.renewed != times[0][0] or after.written != timestamps.encode(call.now).encode():
        return
    if len(_known) >= _KEPT:
        del _known[next(iter(_known))]
    around = (body[: times[0].start()], body[times[0].end() :])
    _known[entry.key] = _Renewal(call.user, _by(call), around, after)


def _plain(entry: Entry) -> bytes:
    """The bytes of an entry as they are stored."""
    return codec.without_revision(entry.json, entry.revision)


def _text(value: bytes) -> _Text | None:
    """A lease's text, where there is one of each time in it, the renewal last."""
    written, renewed = [*_WRITTEN.finditer(value)], [*_RENEWED.finditer(value)]
    if len(written) != 1 or len(renewed) != 1 or written[0].end() > renewed[0].start():
        return None
    first, last = written[0], renewed[0]
    around = (value[: first.start()], value[first.end() : last.start()], value[last.end() :])
    return _Text(around, first[0], last[0])
