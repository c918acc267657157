"""Kinds whose row is a few fields, and the fallback for kinds that nobody prints specially."""

from typing import Any

from cluster.api import objects
from cluster.api.printing.table import AGE, NAME, Printer, age
from cluster.api.resources import Column


def _fallback(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), age(obj, now)]


def _config_map(obj: objects.Object, now: float) -> list[Any]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [objects.name(obj), count, age(obj, now)]


def _secret(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), obj.get("type") or "", len(obj.get("data") or ()), age(obj, now)]


def _service_account(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), len(obj.get("secrets") or ()), age(obj, now)]


def _lease(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), objects.spec(obj).get("holderIdentity") or "", age(obj, now)]


def _priority_class(obj: objects.Object, now: float) -> list[Any]:
    return [
        objects.name(obj),
        obj.get("value") or 0,
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy") or "",
    ]


FALLBACK = Printer((NAME, AGE), _fallback)
CONFIG_MAPS = Printer((NAME, Column("Data", description="Number of keys."), AGE), _config_map)
SECRETS = Printer(
    (NAME, Column("Type", description="What it holds."), Column("Data"), AGE), _secret
)
SERVICE_ACCOUNTS = Printer((NAME, Column("Secrets"), AGE), _service_account)
LEASES = Printer((NAME, Column("Holder", description="Who holds it."), AGE), _lease)
PRIORITY_CLASSES = Printer(
    (NAME, Column("Value", "integer"), Column("Global-Default", "boolean"), AGE,
     Column("PreemptionPolicy")),
    _priority_class,
)  # fmt: skip

BY_RESOURCE = {
    "configmaps": CONFIG_MAPS,
    "leases.coordination.k8s.io": LEASES,
    "priorityclasses.scheduling.k8s.io": PRIORITY_CLASSES,
    "secrets": SECRETS,
    "serviceaccounts": SERVICE_ACCOUNTS,
}
