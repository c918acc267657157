"""Lists of tolerations: joining them, and comparing them with a whitelist. Pure.

Source: k8s.io/kubernetes pkg/util/tolerations.
"""

from collections.abc import Sequence
from typing import Any

Toleration = dict[str, Any]


def merged(first: Sequence[Toleration], second: Sequence[Toleration]) -> list[Toleration]:
    """Both lists without those that another one covers; of equal ones the first stays."""
    everything = [*first, *second]
    found: list[Toleration] = []
    for index, one in enumerate(everything):
        later = everything[index + 1 :]
        if any(_covers(held, one) for held in found):
            continue
        if any(other != one and _covers(other, one) for other in later):
            continue
        found.append(dict(one))
    return found


def allowed(said: Sequence[Toleration], whitelist: Sequence[Toleration]) -> bool:
    """Whether each toleration is covered by one of the whitelist; an empty one covers all."""
    if not whitelist:
        return True
    return all(any(_covers(listed, one) for listed in whitelist) for one in said)


def _covers(wide: Toleration, one: Toleration) -> bool:
    if wide == one:
        return True
    if _text(one, "key") != _text(wide, "key") and (
        _text(wide, "key") or wide.get("operator") != "Exists"
    ):
        return False
    if _text(wide, "effect") not in ("", _text(one, "effect")):
        return False
    if wide.get("effect") == "NoExecute":
        bound, asked = wide.get("tolerationSeconds"), one.get("tolerationSeconds")
        if bound is not None and (asked is None or asked > bound):
            return False
    if wide.get("operator") == "Exists":
        return True
    # An empty operator means Equal.
    if _text(wide, "operator") not in ("", "Equal"):
        return False
    return _text(one, "operator") in ("", "Equal") and _text(one, "value") == _text(wide, "value")


def _text(toleration: Toleration, field: str) -> str:
    return toleration.get(field) or ""
