"""VolumeBinding: pods go where their claims' volumes are, or can be.

Filter judges by what is there and what can be made; Reserve sets volumes aside; PreBind writes it
down and waits until the controllers have bound every claim.
"""

from typing import Any, Final

from cluster.api import objects
from cluster.api.persistentvolumes import facts
from cluster.scheduler.framework import events
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import Codes, CycleState, Reads
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status, unresolvable, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo
from cluster.scheduler.volumes import binding, finding, podclaims
from cluster.scheduler.volumes.binding import Reserved, Writer
from cluster.scheduler.volumes.podclaims import PodClaims

_RESERVED: Final = "VolumeBinding/reserved"


class VolumeBinding:
    """Filters by volumes, and binds those that wait for their pod.

    Its verdicts are about nodes, but it is asked where Kubernetes asks it: after resources.
    """

    name = "VolumeBinding"
    reads = Reads.USAGE

    def __init__(self, cache: Cache, writer: Writer, *, timeout: float = binding.TIMEOUT) -> None:
        self.patience = timeout + 60.0
        self._cache = cache
        self._store = cache.volumes
        self._writer = writer
        self._timeout = timeout
        self.hints: dict[Event, events.Hint] = {
            Event.CLAIM_ADD: claim_hint,
            Event.CLAIM_UPDATE: claim_hint,
            Event.VOLUME_ADD: self._volume_hint,
            Event.VOLUME_UPDATE: self._volume_hint,
            Event.STORAGE_CLASS_ADD: events.always,
            Event.STORAGE_CLASS_UPDATE: _class_hint,
            Event.NODE_ADD: events.always,
            Event.NODE_LABELS: events.always,
            Event.CSI_DRIVER_UPDATE: events.always,
            Event.CSI_CAPACITY_ADD: events.always,
            Event.CSI_CAPACITY_UPDATE: _capacity_hint,
        }

    def sign(self, pod: PodInfo) -> Any:
        """Its claims."""
        return podclaims.sign(pod, self._store)

    def pre_filter(
        self, state: CycleState, pod: PodInfo, _nodes: NodeTable
    ) -> tuple[Status, frozenset[str] | None]:
        """Skip for a pod without claims; refused where a claim has to come or be bound first."""
        if not podclaims.any_of(pod):
            return SKIP, None
        claims = podclaims.of(pod, self._store)
        if isinstance(claims, Status):
            return claims, None
        state[self.name] = claims
        return SUCCESS, None

    def filter(self, state: CycleState, _pod: PodInfo, nodes: NodeTable, rows: Rows) -> Codes:
        """Bits of finding.REASONS."""
        return finding.judge(state[self.name], self._store, nodes, rows)

    def verdict(self, _state: CycleState, _pod: PodInfo, _nodes: NodeTable, code: int) -> Status:
        """The reasons of the bits."""
        return unresolvable(*(text for bit, text in finding.REASONS.items() if code & bit))

    def reserve(self, state: CycleState, _pod: PodInfo, node: str) -> Status:
        """Set aside what the claims get on the node."""
        claims: PodClaims | None = state.get(self.name)
        if claims is None or not claims.delayed:
            return SUCCESS
        row = self._cache.table.row(node)
        found = None
        if row is not None:
            found = finding.choose(claims, self._store, self._cache.table, row)
        if found is None:
            return unschedulable(finding.REASONS[finding.BIND_CONFLICT])
        state[_RESERVED] = self._assume(found, node, claims)
        return SUCCESS

    def _assume(self, found: finding.Found, node: str, claims: PodClaims) -> Reserved:
        reserved = Reserved(claims=[objects.key(claim) for claim in claims.delayed])
        for volume, claim in found.bindings:
            bound = facts.volume_bound(volume, claim)
            if bound is not None:
                self._store.assume_volume(bound)
                reserved.volumes.append(bound)
        for claim in found.provisions:
            chosen = facts.annotated(claim, {facts.SELECTED_NODE: node})
            self._store.assume_claim(chosen)
            reserved.provisions.append(chosen)
        return reserved

    def unreserve(self, state: CycleState, _pod: PodInfo, _node: str) -> None:
        """Take back what was set aside; what is written already stays with the claim."""
        reserved: Reserved | None = state.pop(_RESERVED, None)
        if reserved is None:
            return
        for volume in reserved.volumes:
            self._store.restore_volume(objects.name(volume))
        for claim in reserved.provisions:
            self._store.restore_claim(objects.key(claim))

    def waits(self, state: CycleState) -> bool:
        """Whether the pod gets volumes."""
        return _RESERVED in state

    async def pre_bind(self, state: CycleState, _pod: PodInfo, node: str) -> Status:
        """Bound, or an error: the pod is scheduled anew."""
        reserved: Reserved | None = state.get(_RESERVED)
        if reserved is None:
            return SUCCESS
        return await binding.bind(
            reserved, node, self._cache.table, self._store,
            writer=self._writer, seconds=self._timeout,
        )  # fmt: skip

    def _volume_hint(self, pod: PodInfo, occurrence: Occurrence) -> bool:
        """A volume helps those whose claims it is of, or could be."""
        volume = occurrence.new
        keys = podclaims.keys(pod)
        if facts.claim_of(volume) in keys:
            return True
        claims = [self._store.claim(key) for key in keys]
        return any(
            claim is None
            or objects.spec(claim).get("volumeName") == objects.name(volume)
            or (not facts.fully_bound(claim) and _could_be(volume, claim))
            for claim in claims
        )


def _could_be(volume: objects.Object, claim: objects.Object) -> bool:
    return not facts.claim_of(volume) and facts.class_of(volume) == facts.class_of(claim)


def claim_hint(pod: PodInfo, occurrence: Occurrence) -> bool:
    """The claim is one of the pod's."""
    return objects.key(occurrence.new) in podclaims.keys(pod)


def _class_hint(_pod: PodInfo, occurrence: Occurrence) -> bool:
    before, after = occurrence.old, occurrence.new
    return bool(before.get("allowedTopologies") != after.get("allowedTopologies"))


def _capacity_hint(_pod: PodInfo, occurrence: Occurrence) -> bool:
    before, after = map(finding.volume_limit, (occurrence.old, occurrence.new))
    return after is not None and (before is None or after > before)
