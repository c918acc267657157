"""Events of the core group and of `events.k8s.io`: the same objects under other field names.

Source: k8s.io/kubernetes pkg/apis/events/v1/conversion.go. Neither function changes what it is
given; what it gives shares parts with it, and keeps its apiVersion and kind.
"""

from collections.abc import Mapping
from typing import Final

from cluster.api.objects import Object

_NEW_NAMES: Final[Mapping[str, str]] = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_OLD_NAMES: Final[Mapping[str, str]] = {new: old for old, new in _NEW_NAMES.items()}


def to_new(obj: Object) -> Object:
    """An event of the core group in the words of `events.k8s.io`."""
    return {_NEW_NAMES.get(field, field): value for field, value in obj.items()}


def to_core(obj: Object) -> Object:
    """An event of `events.k8s.io` in the words of the core group."""
    return {_OLD_NAMES.get(field, field): value for field, value in obj.items()}
