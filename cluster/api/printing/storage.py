"""Classes of storage and of runtimes, drivers, and what is attached where."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age, joined
from cluster.api.resources import Column

_GROUP = "storage.k8s.io"
_UNSET = "<unset>"
_DEFAULT = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def _storage_class(obj: objects.Object, now: float) -> list[Any]:
    notes = objects.annotations(obj)
    mark = " (default)" if any(notes.get(key) == "true" for key in _DEFAULT) else ""
    return [
        objects.name(obj) + mark,
        obj.get("provisioner") or "",
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or "Immediate",
        bool(obj.get("allowVolumeExpansion")),
        age(obj, now),
    ]


def _attributes_class(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), obj.get("driverName") or "", age(obj, now)]


def _attachment(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    return [
        objects.name(obj),
        spec.get("attacher") or "",
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName") or "",
        bool(objects.status(obj).get("attached")),
        age(obj, now),
    ]


def _driver(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    tokens = spec.get("tokenRequests")
    audiences = [each.get("audience") or "" for each in tokens or ()]
    return [
        objects.name(obj),
        bool(spec.get("attachRequired", True)),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        _UNSET if tokens is None else joined(audiences),
        bool(spec.get("requiresRepublish")),
        joined(spec.get("volumeLifecycleModes") or []) or NONE,
        age(obj, now),
    ]


def _node(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), len(objects.spec(obj).get("drivers") or ()), age(obj, now)]


def _capacity(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), obj.get("storageClassName") or "", obj.get("capacity", _UNSET)]


def _runtime_class(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), obj.get("handler") or "", age(obj, now)]


STORAGE_CLASSES = Printer(
    (
        NAME,
        Column("Provisioner", description="Who makes volumes of the class."),
        Column("ReclaimPolicy", description="What becomes of them when their claims go."),
        Column("VolumeBindingMode", description="When claims are bound."),
        Column("AllowVolumeExpansion", description="Whether volumes can be made larger."),
        AGE,
    ),
    _storage_class,
)
ATTRIBUTES_CLASSES = Printer(
    (NAME, Column("DriverName", description="The driver of the attributes."), AGE),
    _attributes_class,
)
ATTACHMENTS = Printer(
    (
        NAME,
        Column("Attacher", format="name", description="The driver that attaches."),
        Column("PV", description="The volume."),
        Column("Node", description="The node that it is to be attached to."),
        Column("Attached", "boolean", description="Whether it is."),
        AGE,
    ),
    _attachment,
)
DRIVERS = Printer(
    (
        NAME,
        Column("AttachRequired", "boolean", description="Whether volumes have to be attached."),
        Column("PodInfoOnMount", "boolean", description="Whether it wants to know pods."),
        Column("StorageCapacity", "boolean", description="Whether it tells what is free."),
        Column("TokenRequests", description="Audiences of the tokens that it wants."),
        Column("RequiresRepublish", "boolean", description="Whether it is asked again and again."),
        Column("Modes", description="Lives that its volumes may have."),
        AGE,
    ),
    _driver,
)
NODES = Printer((NAME, Column("Drivers", "integer", description="How many there are."), AGE), _node)
CAPACITIES = Printer(
    (
        NAME,
        Column("StorageClassName", description="The class that it is about."),
        Column("Capacity", description="What is free."),
    ),
    _capacity,
)
RUNTIME_CLASSES = Printer(
    (NAME, Column("Handler", description="How nodes know it."), AGE), _runtime_class
)

BY_RESOURCE = {
    f"csidrivers.{_GROUP}": DRIVERS,
    f"csinodes.{_GROUP}": NODES,
    f"csistoragecapacities.{_GROUP}": CAPACITIES,
    f"storageclasses.{_GROUP}": STORAGE_CLASSES,
    f"volumeattachments.{_GROUP}": ATTACHMENTS,
    f"volumeattributesclasses.{_GROUP}": ATTRIBUTES_CLASSES,
    "runtimeclasses.node.k8s.io": RUNTIME_CLASSES,
}
