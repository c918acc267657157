"""Certificate signing requests, trust bundles, and the requests of pods."""

from typing import Any

from cluster.api import certificates, objects
from cluster.api.printing import durations
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age
from cluster.api.resources import Column

_GROUP = "certificates.k8s.io"


def _types(obj: objects.Object) -> list[str]:
    return [str(each.get("type")) for each in objects.status(obj).get("conditions") or ()]


def _condition(obj: objects.Object) -> str:
    kinds = _types(obj)
    found = next(
        (kind for kind in (certificates.DENIED, certificates.APPROVED) if kind in kinds), "Pending"
    )
    if certificates.FAILED in kinds:
        found += ",Failed"
    return f"{found},Issued" if objects.status(obj).get("certificate") else found


def _request(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    seconds = spec.get("expirationSeconds")
    return [
        objects.name(obj),
        age(obj, now),
        spec.get("signerName") or NONE,
        spec.get("username") or "",
        NONE if seconds is None else durations.human(seconds),
        _condition(obj),
    ]


def _bundle(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), objects.spec(obj).get("signerName") or NONE]


def _of_pod(obj: objects.Object, now: float) -> list[Any]:
    spec, kinds = objects.spec(obj), _types(obj)
    return [
        objects.name(obj),
        spec.get("podName") or "",
        spec.get("serviceAccountName") or "",
        spec.get("nodeName") or "",
        spec.get("signerName") or "",
        kinds[0] if kinds else "Pending",
        age(obj, now),
    ]


_SIGNER = Column("SignerName", description="Who is asked to sign.")
REQUESTS = Printer(
    (
        NAME,
        AGE,
        _SIGNER,
        Column("Requestor", description="Who asks."),
        Column("RequestedDuration", description="For how long."),
        Column("Condition", description="What has become of it."),
    ),
    _request,
)
BUNDLES = Printer((NAME, _SIGNER), _bundle)
OF_PODS = Printer(
    (
        NAME,
        Column("PodName", description="The pod that it is for."),
        Column("ServiceAccountName", description="The account of the pod."),
        Column("NodeName", description="The node of the pod."),
        _SIGNER,
        Column("State", description="What has become of it."),
        AGE,
    ),
    _of_pod,
)

BY_RESOURCE = {
    f"certificatesigningrequests.{_GROUP}": REQUESTS,
    f"clustertrustbundles.{_GROUP}": BUNDLES,
    f"podcertificaterequests.{_GROUP}": OF_PODS,
}
