"""The names of resources that quotas count, and of those that containers ask for."""

from functools import lru_cache
from typing import Final

REQUESTS: Final = "requests."
LIMITS: Final = "limits."
HUGE_PAGES: Final = "hugepages-"
COUNT: Final = "count/"
STORAGE_CLASS: Final = ".storageclass.storage.k8s.io/"
PODS: Final = "pods"
CLAIMS: Final = "persistentvolumeclaims"
SERVICES: Final = "services"
STORAGE: Final = "requests.storage"
COMPUTE: Final = frozenset((
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
    "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    "pods",
))  # fmt: skip
REQUIRED: Final = frozenset((
    "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
))  # fmt: skip
"""Where a quota counts these, each container must say them."""
OBJECTS: Final = frozenset((
    "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
))  # fmt: skip
"""Resources that are also counted by their mere names."""
OF_SERVICES: Final = ("services", "services.nodeports", "services.loadbalancers")


def is_native(name: str) -> bool:
    """Whether Kubernetes itself gives the resource its meaning."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Whether it is a device or the like, which nodes advertise."""
    return not is_native(name) and not name.startswith(REQUESTS)


@lru_cache(4096)
def counted_of(name: str) -> str:
    """The resource id of whose objects a quota's `name` counts something; "" for none known."""
    if name.startswith(COUNT):
        return name.removeprefix(COUNT)
    if name in COMPUTE or name.startswith((HUGE_PAGES, REQUESTS + HUGE_PAGES)):
        return PODS
    if name in OBJECTS:
        return name
    if name in OF_SERVICES:
        return SERVICES
    if name in (CLAIMS, STORAGE) or name.endswith(
        (STORAGE_CLASS + CLAIMS, STORAGE_CLASS + STORAGE)
    ):
        return CLAIMS
    if name.startswith(REQUESTS) and not is_native(name):
        return PODS
    return ""
