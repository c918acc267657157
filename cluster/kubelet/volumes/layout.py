"""Where things are under a kubelet's root directory: as in Kubernetes. Pure."""

from dataclasses import dataclass
from typing import Final

PLUGINS: Final = {
    "emptyDir": "empty-dir", "configMap": "configmap", "secret": "secret",
    "downwardAPI": "downward-api", "projected": "projected",
}  # fmt: skip
"""The volumes that have a directory of the pod's own, and what their plugins are called."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths. `root` is `--root-dir`; `host` stands for the node's own root."""

    root: str
    host: str

    def pod(self, uid: str) -> str:
        """All that a pod has."""
        return f"{self.root}/pods/{uid}"

    def volumes(self, uid: str) -> str:
        """The pod's volumes."""
        return f"{self.root}/pods/{uid}/volumes"

    def volume(self, uid: str, plugin: str, name: str) -> str:
        """One of them."""
        return f"{self.root}/pods/{uid}/volumes/kubernetes.io~{plugin}/{name}"

    def subpath(self, uid: str, volume: str, container: str, number: int) -> str:
        """A part of a volume that is mounted by itself."""
        return f"{self.root}/pods/{uid}/volume-subpaths/{volume}/{container}/{number}"

    def hosts(self, uid: str) -> str:
        """The /etc/hosts of its containers."""
        return f"{self.root}/pods/{uid}/etc-hosts"

    def on_host(self, path: str) -> str:
        """A path of the node: in the directory that stands for its root."""
        return path if self.host == "/" else self.host + path

    def pod_of(self, path: str) -> str:
        """The uid of the pod that a path belongs to, "" where it belongs to none."""
        head = f"{self.root}/pods/"
        return path[len(head) :].partition("/")[0] if path.startswith(head) else ""
