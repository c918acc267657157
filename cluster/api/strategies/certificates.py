"""The group `certificates.k8s.io` (pkg/registry/certificates).

A request says who made it, whoever he says he is, and is approved and signed through subresources
alone. Conditions get the times that their writer leaves out.
"""

from collections.abc import Mapping
from typing import Any, Final

from cluster.api import certificates, identity, metadata, timestamps
from cluster.api.objects import Object
from cluster.api.strategies.strategy import Strategy

_GROUP: Final = "certificates.k8s.io"
_ASKED_BY: Final = ("username", "uid", "groups", "extra")


def asked_by(obj: Object, user: identity.User) -> None:
    """Write down who asks for the certificate."""
    spec = obj.setdefault("spec", {})
    for field in _ASKED_BY:
        spec.pop(field, None)
    if user.name:
        spec["username"] = user.name
    if user.uid:
        spec["uid"] = user.uid
    if user.groups:
        spec["groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {key: list(listed) for key, listed in user.extra}


def _kept(old: Object, new: Object) -> None:
    """Of a request, only the metadata change."""
    new["spec"] = old.get("spec") or {}


def on_status(old: Object, new: Object) -> None:
    """Whoever signs sends approvals and denials back as he found them."""
    status = new.get("status") or {}
    for kind in (certificates.APPROVED, certificates.DENIED):
        was = [each for each in _conditions(old) if each.get("type") == kind]
        places = [
            index
            for index, each in enumerate(status.get("conditions") or ())
            if each.get("type") == kind
        ]
        if len(was) == len(places):
            for index, condition in zip(places, was, strict=True):
                status["conditions"][index] = condition


def on_approval(old: Object, new: Object) -> None:
    """Whoever approves writes the conditions, and nothing else."""
    conditions = _conditions(new)
    new["spec"] = old.get("spec") or {}
    status: dict[str, Any] = dict(old.get("status") or {})
    status.pop("conditions", None)
    if conditions:
        status["conditions"] = conditions
    new["status"] = status


def stamp(old: Object, new: Object, now: float) -> None:
    """Give conditions the times that they lack: of their change of status, and of the last word."""
    listed = _conditions(new)
    if not listed:
        return
    moment = timestamps.encode(now)
    before = _conditions(old)
    new["status"] = new["status"] | {
        "conditions": [_stamped(condition, before, moment) for condition in listed]
    }


def _stamped(condition: Object, before: list[Object], moment: str) -> Object:
    made = dict(condition)
    made.setdefault("lastUpdateTime", moment)
    if "lastTransitionTime" not in made:
        made["lastTransitionTime"] = _since(condition, before) or moment
    return made


def _since(condition: Object, before: list[Object]) -> str:
    for each in before:
        same = all(each.get(field) == condition.get(field) for field in ("type", "status"))
        if same and each.get("lastTransitionTime"):
            return str(each["lastTransitionTime"])
    return ""


def _conditions(obj: Object) -> list[Object]:
    return (obj.get("status") or {}).get("conditions") or []


BY_RESOURCE: Final[Mapping[str, Strategy]] = {
    f"certificatesigningrequests.{_GROUP}": Strategy(
        name_rule=metadata.path_segment,
        generations=False,
        by_user=asked_by,
        on_update=_kept,
        on_status=on_status,
        on_other={"approval": on_approval},
        stamps=stamp,
    ),
    f"clustertrustbundles.{_GROUP}": Strategy(
        name_rule=metadata.path_segment, unconditional=False
    ),
    f"podcertificaterequests.{_GROUP}": Strategy(
        generations=False, status_keeps=("labels", "annotations", "finalizers", "ownerReferences"),
        unconditional=False,
    ),
}  # fmt: skip
