"""Which objects of the API a pod's volumes and environment are made of. Pure.

Source: pkg/kubelet/util/manager and pkg/api/v1/pod (VisitPodConfigmapNames and its like).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cluster.api import objects
from cluster.api.objects import Object
from cluster.kubelet.lifecycle import podspec

CONFIG_MAPS: Final = "configmaps"
SECRETS: Final = "secrets"
VOLUMES: Final = "persistentvolumes"
RUNTIME_CLASSES: Final = "runtimeclasses.node.k8s.io"
BUNDLES: Final = "clustertrustbundles.certificates.k8s.io"


class Reference(NamedTuple):
    """An object that is read as a whole."""

    resource: str
    namespace: str
    name: str

    @property
    def missing(self) -> str:
        """What a kubelet says where there is none."""
        kind = {CONFIG_MAPS: "configmap", SECRETS: "secret"}.get(self.resource, self.resource)
        return f'{kind} "{self.name}" not found'


Known = Mapping[Reference, Object | None]
"""What was read: None for what is not there."""


def of_volume(namespace: str, volume: Mapping[str, Any]) -> list[Reference]:
    """What the files of one volume are made of."""
    found: list[Reference] = []
    if "configMap" in volume:
        found.append(Reference(CONFIG_MAPS, namespace, volume["configMap"].get("name") or ""))
    elif "secret" in volume:
        found.append(Reference(SECRETS, namespace, volume["secret"].get("secretName") or ""))
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "configMap" in source:
            found.append(Reference(CONFIG_MAPS, namespace, source["configMap"].get("name") or ""))
        elif "secret" in source:
            found.append(Reference(SECRETS, namespace, source["secret"].get("name") or ""))
        elif (source.get("clusterTrustBundle") or {}).get("name"):
            found.append(Reference(BUNDLES, "", source["clusterTrustBundle"]["name"]))
    return found


def of_environment(namespace: str, container: Mapping[str, Any]) -> list[Reference]:
    """What the variables of one container come from."""
    found: list[Reference] = []
    for source in container.get("envFrom") or ():
        found += _named(namespace, source, "configMapRef", "secretRef")
    for variable in container.get("env") or ():
        found += _named(
            namespace, variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef"
        )
    return list(dict.fromkeys(found))


def of_pod(pod: Object) -> list[Reference]:
    """All that the volumes of a pod show, each once."""
    namespace = objects.namespace(pod)
    found = [one for volume in used(pod) for one in of_volume(namespace, volume)]
    return list(dict.fromkeys(found))


def used(pod: Object) -> list[Mapping[str, Any]]:
    """The volumes that a container mounts: a kubelet sets up no others."""
    volumes = objects.spec(pod).get("volumes")
    if not volumes:
        return []
    wanted = {
        mount["name"]
        for spec in (*podspec.containers(pod), *podspec.init_containers(pod), *_ephemeral(pod))
        for mount in (*(spec.get("volumeMounts") or ()), *(spec.get("volumeDevices") or ()))
    }
    return [volume for volume in volumes if volume.get("name") in wanted]


def _ephemeral(pod: Object) -> list[Object]:
    return objects.spec(pod).get("ephemeralContainers") or []


def _named(
    namespace: str, source: Mapping[str, Any], config: str, secret: str
) -> Iterator[Reference]:
    if config in source:
        yield Reference(CONFIG_MAPS, namespace, source[config].get("name") or "")
    elif secret in source:
        yield Reference(SECRETS, namespace, source[secret].get("name") or "")
