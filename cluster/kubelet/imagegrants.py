"""Who may use the private images that are on a node: pods that have what they were pulled with.

Source: KEP-2535 (KubeletEnsureSecretPulledImages, on by default since 1.35), with the policy
NeverVerifyPreloadedImages: what was here before this kubelet is everybody's. Pure.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from cluster.api import imagereferences
from cluster.api.dockerconfig import Credentials

_MOST: Final = 4096
"""Images that are remembered; the one that was pulled first is forgotten, and everybody's."""


class Grants:
    """What the images of a node were pulled with, by their ids and repositories."""

    def __init__(self) -> None:
        self._pulled: dict[str, dict[str, set[bytes]]] = {}
        self._open: dict[str, set[str]] = {}

    def allows(self, id: str, image: str, known: Iterable[Credentials]) -> bool:
        """Whether a pod with these credentials may use an image as it is; if not, it has to be
        pulled with them.
        """
        repositories = self._pulled.get(id)
        if repositories is None:
            return True
        repository = _repository(image)
        if repository in self._open.get(id, ()):
            return True
        had = repositories.get(repository, set())
        return any(_hash(one) in had for one in known)

    def note(self, id: str, image: str, used: Credentials | None) -> None:
        """An image was pulled, with these credentials or with none."""
        repository = _repository(image)
        if used is None:
            if id in self._pulled:
                self._open.setdefault(id, set()).add(repository)
            return
        self._pulled.setdefault(id, {}).setdefault(repository, set()).add(_hash(used))
        while len(self._pulled) > _MOST:
            oldest = next(iter(self._pulled))
            del self._pulled[oldest]
            self._open.pop(oldest, None)

    def guards(self, id: str) -> bool:
        """Whether anything is known of an image."""
        return id in self._pulled


def _repository(image: str) -> str:
    return imagereferences.parse(image).repository


def _hash(one: Credentials) -> bytes:
    return hashlib.sha256(f"{one.name}\0{one.password}".encode("utf-8", "replace")).digest()
