"""A webhook of a configuration, compiled once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.api import objects
from cluster.api.objects import Object
from cluster.apiserver.admission.matching import rules
from cluster.apiserver.admission.matching.rules import Criteria
from cluster.apiserver.outbound import clientconfig
from cluster.apiserver.outbound.protocol import Outgoing

if TYPE_CHECKING:
    from cluster.api.policies.expressions import Condition

_KNOWN = ("v1", "v1beta1")
_WITHOUT_EFFECT = ("None", "NoneOnDryRun")
_DEFAULT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook. `key` tells it from every other, and from itself before it was changed.

    `fails`: what goes wrong with asking refuses the request. `dry`: it may be asked about requests
    that change nothing. `again`: it wants to see what later ones have changed. `version` is that
    of the reviews that it takes, "" where it takes none that we know.
    """

    key: tuple[str, str, int]
    configuration: str
    name: str
    criteria: Criteria
    conditions: "Sequence[Condition]"
    seconds: int
    fails: bool
    dry: bool
    again: bool
    version: str
    client: Object

    def outgoing(self, body: bytes) -> Outgoing:
        """The request that carries a review. ValueError."""
        return clientconfig.outgoing(self.client, body, f"?timeout={self.seconds}s")


def built(configuration: Object) -> Sequence[Hook]:
    """The webhooks of a configuration, in order."""
    name = objects.name(configuration)
    uid, generation = objects.uid(configuration), objects.meta(configuration).get("generation") or 0
    return [
        _hook(name, (uid, f"{name}/{place}/{each.get('name')}", generation), each)
        for place, each in enumerate(configuration.get("webhooks") or ())
    ]


def _hook(configuration: str, key: tuple[str, str, int], found: Any) -> Hook:
    versions = found.get("admissionReviewVersions") or ()
    return Hook(
        key,
        configuration,
        found.get("name") or "",
        rules.of_webhook(found),
        _conditions(found.get("matchConditions")),
        found.get("timeoutSeconds") or _DEFAULT_SECONDS,
        found.get("failurePolicy") != "Ignore",
        found.get("sideEffects") in _WITHOUT_EFFECT,
        found.get("reinvocationPolicy") == "IfNeeded",
        next((version for version in versions if version in _KNOWN), ""),
        found.get("clientConfig") or {},
    )


def _conditions(found: Any) -> "Sequence[Condition]":
    if not found:
        return ()
    from cluster.api.policies import expressions

    return expressions.conditions(found)
