"""Sets up the volumes of one node's pods, keeps them true, and takes them away.

Follows pkg/kubelet/volumemanager: a volume that cannot be set up is tried again after half a
second, then after twice as long each time, up to two minutes and two seconds, and each failure is
told; a pod that has waited for two minutes and three seconds is told of as a whole.
"""

import asyncio
import random as randoms
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from cluster.aio import clock as clocks
from cluster.aio import rpc
from cluster.api import errors, objects
from cluster.api.objects import Object
from cluster.client.client import Client
from cluster.kubelet import downward, events
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import atomic, contents, hostpaths, references, setups
from cluster.kubelet.volumes.contents import TokenWanted, Unready
from cluster.kubelet.volumes.disk import Disk
from cluster.kubelet.volumes.layout import PLUGINS, Layout
from cluster.kubelet.volumes.localvolumes import LocalVolumes
from cluster.kubelet.volumes.sources import Objects
from cluster.kubelet.volumes.tokens import Token, Tokens

FIRST_RETRY: Final = 0.5
LAST_RETRY: Final = 122.0
PATIENCE: Final = 123.0
"""podAttachAndMountTimeout: seconds after which a pod that waits for volumes is told of."""
_EMPTY_MODE: Final = 0o777
_MEMORY_MODE: Final = 0o1777
"""That of a tmpfs."""
_LATER: Final = 60.0
"""Seconds after which a token that could not be replaced is tried again."""


@dataclass(slots=True)
class _Wait:
    until: float
    delay: float
    why: str = ""
    unprocessed: bool = False


@dataclass(slots=True, eq=False)
class Record:
    """The volumes of a pod, as far as they are set up. `made`: their files are there."""

    began: float
    volumes: dict[str, setups.Volume] = field(default_factory=dict)
    waits: dict[str, _Wait] = field(default_factory=dict)
    tokens: dict[tuple[str, TokenWanted], Token] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    """Parts of volumes that are mounted by themselves: where each is, and of what it is a copy."""
    done: bool = False
    made: bool = False
    lock: asyncio.Lock | None = None


class Keeper:
    """The volumes of one node. `wake_after(uid, seconds)` has `refresh` called for a pod,
    `wake_no_more(uid)` takes that back.
    """

    def __init__(
        self,
        layout: Layout,
        disk: Disk | None,
        *,
        node: downward.Node,
        client: Client,
        objects_: Objects,
        clock: clocks.Clock,
        random: randoms.Random,
        speaker: events.Speaker,
        find: Callable[[str], Pod | None],
        wake_after: Callable[[str, float], None],
        wake_no_more: Callable[[str], None],
        hosts: Callable[[Pod], bytes],
    ) -> None:
        self.layout = layout
        self.disk = disk
        self.records: dict[str, Record] = {}
        self._node = node
        self._client = client
        self._objects = objects_
        self._tokens = Tokens(client, clock)
        self._clock = clock
        self._random = random
        self._speaker = speaker
        self._find = find
        self._wake_after = wake_after
        self._wake_no_more = wake_no_more
        self._hosts = hosts
        self._stuck: dict[str, None] = {}
        """Orphans that could not be removed."""
        self._log = structlog.get_logger().bind(component="kubelet")
        self.local: LocalVolumes | None = None
        """The directories of kubemu's provisioner."""
        if disk is not None:
            disk.on_demand(self.demand)
            self.local = LocalVolumes(layout, disk, objects_, wake_after, self._in_use)

    # ---- setting up --------------------------------------------------------------------------

    async def ready(self, pod: Pod) -> bool:
        """Whether all volumes of a pod are set up now. Where not, `pod.memory.volumes_retry` says
        when to ask again.
        """
        record = self.records.get(pod.uid)
        if record is None:
            if not references.used(pod.object):
                return True
            record = self.records[pod.uid] = Record(self._clock.now())
            if self.disk is not None and not self.disk.lazy:
                self._objects.hold(pod.uid, references.of_pod(pod.object))
        if record.done:
            return True
        for volume in references.used(pod.object):
            await self._try(pod, volume, record)
        if record.waits:
            self._complain(pod, record)
            retry = min(wait.until for wait in record.waits.values())
            pod.memory.volumes_retry = min(retry, record.began + PATIENCE)
            return False
        record.done = True
        pod.memory.volumes_retry = 0.0
        if self.disk is not None and not self.disk.lazy:
            record.made = True
            self._plan_tokens(pod.uid, record)
        return True

    async def adopt(self, pod: Pod) -> None:
        """Take over the volumes of a pod that ran before this kubelet did."""
        obj = pod.object
        if self.disk is None or objects.deleting(obj) or not references.used(obj):
            return
        if await self.ready(pod) and self.disk.kind(self.layout.volumes(pod.uid)):
            record = self.records[pod.uid]
            if not record.made:
                record.made = True
                self._objects.hold(pod.uid, references.of_pod(obj))
                self._wake_after(pod.uid, 0.0)

    async def _try(self, pod: Pod, volume: Mapping[str, Any], record: Record) -> None:
        name, now = volume["name"], self._clock.now()
        wait = record.waits.get(name)
        if name in record.volumes or (wait is not None and wait.until > now):
            return
        try:
            record.volumes[name] = await self._set_up(pod, volume, record)
        except (Unready, setups.Unprocessed) as error:
            delay = FIRST_RETRY if wait is None else min(wait.delay * 2, LAST_RETRY)
            unprocessed = isinstance(error, setups.Unprocessed)
            until = self._clock.now() + delay
            record.waits[name] = _Wait(until, delay, str(error), unprocessed)
            if not unprocessed:
                self._speaker.mount_failed(pod.object, str(error))
        else:
            record.waits.pop(name, None)

    def _complain(self, pod: Pod, record: Record) -> None:
        """Tell of the pod as a whole, where it is time to."""
        now = self._clock.now()
        wrong = {
            name: wait.why
            for name, wait in record.waits.items()
            if wait.unprocessed and wait.until - wait.delay >= now
        }
        late = now - record.began >= PATIENCE
        if not wrong and not late:
            return
        record.began = now
        why = "; ".join(wrong.values())
        self._speaker.unmounted(pod.object, list(record.waits), list(wrong), why)

    async def _set_up(self, pod: Pod, volume: Mapping[str, Any], record: Record) -> setups.Volume:
        """Make a volume, or see that it can be made. Unready, setups.Unprocessed."""
        if self.disk is None:
            raise Unready("this kubelet has no --root-dir to keep volumes in")
        what = await self._what(pod, volume)
        try:
            if isinstance(what.setup, setups.Host):
                if what.setup.reclaim and self.local is not None:
                    self.local.note(what.title, what.setup)
                hostpaths.prepare(self.disk, self.layout, what.setup)
            elif isinstance(what.setup, setups.Files):
                await self._files(pod, volume, record, make=not self.disk.lazy)
            elif not self.disk.lazy:
                self._empty(pod, volume, what.setup)
        except Unready as error:
            raise Unready(f'MountVolume.SetUp failed for volume "{what.title}" : {error}') from None
        except OSError as error:
            text = f"{error.filename or ''}: {error.strerror or error}"
            raise Unready(f'MountVolume.SetUp failed for volume "{what.title}" : {text}') from error
        return what

    async def _what(self, pod: Pod, volume: Mapping[str, Any]) -> setups.Volume:
        """What a volume is. Unready, setups.Unprocessed."""
        name = setups.claim_name(pod.object, volume)
        try:
            if not name:
                return setups.of(volume)
            namespace = objects.namespace(pod.object)
            claim = await self._get("persistentvolumeclaims", name, namespace)
            held: Object | str = ""
            if not isinstance(claim, str) and objects.spec(claim).get("volumeName"):
                held = await self._get("persistentvolumes", objects.spec(claim)["volumeName"])
            return setups.of_claim(pod.object, volume, claim, held)
        except Unready as error:
            title = volume["name"]
            raise Unready(f'MountVolume.SetUp failed for volume "{title}" : {error}') from None

    async def _get(self, resource: str, name: str, namespace: str = "") -> Object | str:
        """An object, or why it could not be read."""
        try:
            return await self._client.get(resource, name, namespace)
        except errors.StatusError as error:
            return str(error)

    async def _files(
        self, pod: Pod, volume: Mapping[str, Any], record: Record, *, make: bool
    ) -> None:
        """Write a volume's files, or only see that they could be. Unready, OSError."""
        wanted = references.of_volume(objects.namespace(pod.object), volume)
        known = await self._objects.read(wanted, recent=not make)
        tokens: dict[TokenWanted, bytes] = {}
        if make:
            for one in contents.wanted_tokens(volume):
                tokens[one] = await self._token(pod, volume["name"], one, record)
        facts = contents.Facts(pod.object, known, lambda one: tokens.get(one, b""), self._node)
        payload = contents.payload(facts, volume)
        if make and self.disk is not None:
            folder = self.volume_path(pod, volume)
            if not self.disk.kind(folder):
                on_disk = "configMap" in volume
                self.disk.make_folder(folder, _EMPTY_MODE if on_disk else _MEMORY_MODE)
            number = self._random.getrandbits(30)
            share = _sharer(self.disk, pod.object, folder)
            atomic.write(self.disk, folder, payload, (self._clock.now(), number), share)

    async def _token(self, pod: Pod, volume: str, wanted: TokenWanted, record: Record) -> bytes:
        """A token that is good. Unready where there is none."""
        now = self._clock.now()
        known = record.tokens.get((volume, wanted))
        if known is not None and known.replace_at > now:
            return known.data
        try:
            fresh = await self._tokens.fetch(pod.object, wanted)
        except Unready:
            if known is None or known.expires_at <= now:
                raise
            # The old one is good for a while: it is tried again before it expires.
            known = Token(known.data, min(now + _LATER, known.expires_at), known.expires_at)
            record.tokens[volume, wanted] = known
            return known.data
        record.tokens[volume, wanted] = fresh
        return fresh.data

    def _empty(self, pod: Pod, volume: Mapping[str, Any], setup: setups.Empty) -> None:
        folder = self.volume_path(pod, volume)
        if self.disk is None or self.disk.kind(folder):
            return
        in_memory = (volume.get("emptyDir") or {}).get("medium") == "Memory"
        self.disk.make_folder(folder, _MEMORY_MODE if in_memory else _EMPTY_MODE)
        if setup.limit is not None:
            self.disk.limit(folder, setup.limit)
        group = _group(pod.object)
        if group is not None:
            self.disk.share(folder, group, readonly=False)

    def volume_path(self, pod: Pod, volume: Mapping[str, Any]) -> str:
        """Where a volume with a directory of its own is."""
        kind = next(name for name in PLUGINS if name in volume)
        return self.layout.volume(pod.uid, PLUGINS[kind], volume["name"])

    # ---- keeping true ------------------------------------------------------------------------

    async def demand(self, path: str) -> None:
        """Have what is at a path made, before somebody looks. rpc.Failure."""
        pod = self._find(self.layout.pod_of(path))
        if pod is None or self.disk is None:
            return
        if path == self.layout.hosts(pod.uid):
            self.write_hosts(pod)
            return
        record = self.records.get(pod.uid)
        if record is None or not record.done:
            return
        record.lock = record.lock or asyncio.Lock()
        async with record.lock:
            try:
                if not record.made:
                    await self._make(pod, record)
                self._copy(record, path)
            except (Unready, OSError) as error:
                raise rpc.Failure(
                    "UNKNOWN", f"failed to make the pod's volumes: {error}"
                ) from error

    async def _make(self, pod: Pod, record: Record) -> None:
        """Make what was only seen to be possible. Unready, OSError."""
        self._objects.hold(pod.uid, references.of_pod(pod.object))
        for volume in references.used(pod.object):
            what = record.volumes.get(volume["name"])
            if what is not None and isinstance(what.setup, setups.Files):
                await self._files(pod, volume, record, make=True)
            elif what is not None and isinstance(what.setup, setups.Empty):
                self._empty(pod, volume, what.setup)
        record.made = True
        self._plan_tokens(pod.uid, record)

    def _copy(self, record: Record, path: str) -> None:
        source = record.copies.get(path)
        if source is not None and self.disk is not None and not self.disk.kind(path):
            copy(self.disk, source, path)

    async def refresh(self, uid: str) -> None:
        """Have the files of a pod's volumes say what is true now. OSError."""
        pod, record = self._find(uid), self.records.get(uid)
        if pod is None or record is None or not record.made:
            return
        for volume in references.used(pod.object):
            what = record.volumes.get(volume["name"])
            if what is None or not isinstance(what.setup, setups.Files):
                continue
            try:
                await self._files(pod, volume, record, make=True)
            except Unready as error:
                # What is there stays, as in Kubernetes.
                text = f'MountVolume.SetUp failed for volume "{what.title}" : {error}'
                self._speaker.mount_failed(pod.object, text)
        self._plan_tokens(uid, record)

    def pod_changed(self, pod: Pod) -> None:
        """The pod's labels or annotations changed: its files may tell of them."""
        record = self.records.get(pod.uid)
        if record is not None and record.made:
            self._wake_after(pod.uid, 0.0)

    def _plan_tokens(self, uid: str, record: Record) -> None:
        if record.tokens and self.records.get(uid) is record:
            earliest = min(token.replace_at for token in record.tokens.values())
            self._wake_after(uid, max(earliest - self._clock.now(), 0.0))

    def write_hosts(self, pod: Pod) -> None:
        """Write the hosts file of a pod. OSError."""
        if self.disk is not None:
            path = self.layout.hosts(pod.uid)
            if not self.disk.kind(self.layout.pod(pod.uid)):
                self.disk.make_folder(self.layout.pod(pod.uid), 0o750)
            self.disk.write(path, self._hosts(pod), 0o644)

    # ---- taking away -------------------------------------------------------------------------

    def forget(self, uid: str) -> None:
        """All of a pod has ended: its volumes go."""
        record = self.records.pop(uid, None)
        self._wake_no_more(uid)  # its tokens would be renewed in an hour
        if self.disk is None:
            return
        if record is not None:
            self._objects.release(uid)
            if self.local is not None:
                self.local.stir(_claimed(record))
        if record is not None or not self.disk.lazy or self.disk.kind(self.layout.pod(uid)):
            self.disk.remove(self.layout.pod(uid))

    def collect(self, known: Iterable[str]) -> None:
        """Remove what is left of pods that are not known any more."""
        if self.disk is None:
            return
        here = dict.fromkeys(known)
        for uid in self.disk.names(f"{self.layout.root}/pods"):
            if uid not in here:
                self.let_go(uid)
        if self.local is not None:
            self.local.recall()

    def _in_use(self, volume: str) -> bool:
        """Whether a pod has what is to be a PersistentVolume."""
        return any(volume in _claimed(record) for record in self.records.values())

    def let_go(self, uid: str) -> bool:
        """`forget`; whether nothing is left. What cannot be removed (it is another user's, or is
        written to) is told of once; whoever calls tries again.
        """
        try:
            self.forget(uid)
        except OSError as error:
            if uid not in self._stuck:
                self._log.warning("a pod has ended: its volumes stay", pod=uid, error=str(error))
            self._stuck[uid] = None
            return False
        self._stuck.pop(uid, None)
        return True


def copy(disk: Disk, source: str, target: str) -> None:
    """Copy a file or directory, links followed: what they lead to is the volume's. OSError."""
    true = disk.true_path(source)
    if disk.kind(true) != "folder":
        disk.make_folder(target.rpartition("/")[0], 0o750)
        disk.write(target, disk.read(true), 0o644)
        return
    disk.make_folder(target, 0o755)
    for name in disk.names(true):
        if not name.startswith(".."):
            copy(disk, f"{true}/{name}", f"{target}/{name}")


def _claimed(record: Record) -> list[str]:
    """The volumes of kubemu's provisioner that a pod has, by PersistentVolume."""
    return [
        one.title
        for one in record.volumes.values()
        if isinstance(one.setup, setups.Host) and one.setup.reclaim
    ]


def _group(pod: Object) -> int | None:
    found = (objects.spec(pod).get("securityContext") or {}).get("fsGroup")
    return None if found is None else int(found)


def _sharer(disk: Disk, pod: Object, folder: str) -> Callable[[str], None] | None:
    group = _group(pod)
    if group is None:
        return None
    # All of the volume, as the kubelet does: what is made in it later is the group's then.
    return lambda _path: disk.share(folder, group, readonly=True)
