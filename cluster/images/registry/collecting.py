"""Garbage collection: blobs that no manifest of any repository mentions go, when they are old."""

from cluster.images import faults, manifests
from cluster.images.registry import repositories
from cluster.images.registry.exchange import Shelf
from cluster.images.store.layout import remove_others


def collect(shelf: Shelf, now: float) -> tuple[int, int]:
    """Remove what is not wanted any more; how many blobs, and their bytes.

    Whoever calls holds `shelf.settled`: no manifest comes in between.
    """
    wanted: set[str] = set()
    for repository in repositories.every(shelf.root):
        for digest in repository.manifests():
            wanted.add(digest)
            try:
                data = shelf.blobs.read(digest, manifests.MAX_MANIFEST)
                wanted.update(part.digest for part in manifests.parse(data).parts())
            except faults.Fault:
                continue  # its file is damaged: what it pointed at cannot be known
    before = now - shelf.config.collect_grace

    def young(digest: str) -> bool:
        return shelf.blobs.written(digest) > before

    gone = remove_others(shelf.blobs, wanted, young)
    for repository in repositories.every(shelf.root):
        for digest in list(repository.linked()):
            if not shelf.blobs.has(digest):
                repository.unlink(digest)
    return gone
