"""Defaults of the groups `resource.k8s.io` and `certificates.k8s.io` (pkg/apis/resource/v1)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cluster.api.objects import Object

_LIFETIME: Final = 24 * 3600
"""Seconds for which a pod's certificate is asked for, where nobody says."""


def claim(obj: Object) -> None:
    """A request is for one device."""
    _claim_spec(obj.get("spec") or {})


def template(obj: Object) -> None:
    """The same of the claims that are made by it."""
    _claim_spec((obj.get("spec") or {}).get("spec") or {})


def _claim_spec(spec: Object) -> None:
    for request in _requests(spec):
        request["allocationMode"] = request.get("allocationMode") or "ExactCount"
        if request["allocationMode"] == "ExactCount":
            request["count"] = request.get("count") or 1


def _requests(spec: Object) -> Iterator[Object]:
    for request in (spec.get("devices") or {}).get("requests") or ():
        if "exactly" in request:
            yield request["exactly"]
        yield from request.get("firstAvailable") or ()


def pod_certificate_request(obj: Object) -> None:
    """A day, where nobody says."""
    obj.setdefault("spec", {}).setdefault("maxExpirationSeconds", _LIFETIME)


BY_RESOURCE: Final[Mapping[str, Callable[[Object], None]]] = {
    "podcertificaterequests.certificates.k8s.io": pod_certificate_request,
    "resourceclaims.resource.k8s.io": claim,
    "resourceclaimtemplates.resource.k8s.io": template,
}
