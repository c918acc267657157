"""ImageLocality: prefers nodes that have the pod's images, the larger the better."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from cluster.api import objects
from cluster.scheduler.framework.points import MAX_NODE_SCORE, CycleState, Reads, Scores
from cluster.scheduler.framework.status import SKIP, SUCCESS, Status
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.nodes.columns import Rows
from cluster.scheduler.nodes.table import NodeTable
from cluster.scheduler.pods import PodInfo

_MB: Final = 1024 * 1024
MIN_THRESHOLD: Final = 23 * _MB
MAX_CONTAINER_THRESHOLD: Final = 1000 * _MB


class ImageLocality:
    """Scores by images in node.status, which it follows as nodes change.

    What an image counts for grows with the share of nodes that have it, so that the first node to
    pull it does not attract all pods. The kept scores of other nodes change with that share: pods
    whose images are on a node are signed with a number that each change of images raises.
    """

    name = "ImageLocality"
    reads = Reads.NODE

    def __init__(self, cache: Cache) -> None:
        self._sizes: dict[str, dict[str, int]] = {}
        """By image, then by node: its size."""
        self._table = cache.table
        self._changes = 0
        cache.listen(self)

    def sign(self, pod: PodInfo) -> Any:
        """The images, where any node has one, as things are now."""
        images = _images(pod)
        if not any(image in self._sizes for image in images):
            return None
        return [images, self._changes, len(self._table)]

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Status:
        """Skip where no node has any of the images: they all would score 0."""
        images = _images(pod)
        if not any(image in self._sizes for image in images):
            return SKIP
        sums = np.zeros(nodes.capacity, np.int64)
        for image in images:
            self._add(sums, nodes, image)
        state[self.name] = (sums, len(images))
        return SUCCESS

    def score(self, state: CycleState, _pod: PodInfo, _nodes: NodeTable, rows: Rows) -> Scores:
        """0 below 23 MB in sum, 100 from 1000 MB an image on."""
        sums, count = state[self.name]
        most = MAX_CONTAINER_THRESHOLD * count
        # A node that came later is in no sum; the signature has changed with it.
        found = np.where(rows < len(sums), sums[np.minimum(rows, len(sums) - 1)], 0)
        clipped = np.clip(found, MIN_THRESHOLD, most)
        return np.asarray(
            MAX_NODE_SCORE * (clipped - MIN_THRESHOLD) // (most - MIN_THRESHOLD), np.int64
        )

    def placed(self, _pod: PodInfo, _node: str) -> None:
        """Pods do not matter."""

    def removed(self, _pod: PodInfo, _node: str) -> None:
        """Pods do not matter."""

    def node_set(self, old: objects.Object | None, node: objects.Object, _row: int) -> None:
        """Take over the node's images."""
        before = dict(_present(old)) if old is not None else {}
        after = dict(_present(node))
        if before != after:
            self._forget(objects.name(node), before)
            for image, size in after.items():
                self._sizes.setdefault(image, {})[objects.name(node)] = size

    def node_removed(self, node: objects.Object, _row: int) -> None:
        """Forget its images."""
        self._forget(objects.name(node), dict(_present(node)))

    def _forget(self, node: str, images: Iterable[str]) -> None:
        self._changes += 1
        for image in images:
            here = self._sizes.get(image)
            if here is not None and here.pop(node, None) is not None and not here:
                del self._sizes[image]

    def _add(self, sums: Scores, nodes: NodeTable, image: str) -> None:
        here = self._sizes.get(image, {})
        share = len(here) / max(len(nodes), 1)
        for name, size in here.items():
            row = nodes.row(name)
            if row is not None:
                sums[row] += int(size * share)


def _present(node: objects.Object) -> Iterable[tuple[str, int]]:
    for image in objects.status(node).get("images") or ():
        for name in image.get("names") or ():
            yield name, image.get("sizeBytes") or 0


def _images(pod: PodInfo) -> list[str]:
    """The images of all containers, and of image volumes, with their tags."""
    spec = pod.spec
    named = [one.get("image") for one in spec.get("initContainers") or ()]
    named += [one.get("image") for one in spec.get("containers") or ()]
    volumes = (one.get("image") for one in spec.get("volumes") or ())
    named += [one.get("reference") for one in volumes if one]
    return [_tagged(name or "") for name in named]


def _tagged(name: str) -> str:
    """`nginx` is `nginx:latest`; a port of a registry is no tag."""
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"
