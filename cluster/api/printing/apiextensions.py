"""The group `apiextensions.k8s.io`: NAME and CREATED AT, as its own server prints them."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import NAME, Printer
from cluster.api.resources import Column


def _definition(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), objects.meta(obj).get("creationTimestamp")]


BY_RESOURCE = {
    "customresourcedefinitions.apiextensions.k8s.io": Printer(
        (NAME, Column("Created At", "date", description="When the definition was created.")),
        _definition,
    )
}
