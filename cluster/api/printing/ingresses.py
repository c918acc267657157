"""Ingresses, their classes, network policies, and the addresses of services."""

from typing import Any

from cluster.api import objects
from cluster.api.printing import table
from cluster.api.printing.table import AGE, NAME, NONE, Printer, age, joined
from cluster.api.resources import Column

_GROUP = "networking.k8s.io"
_SHOWN = 3  # hosts before "+ n more..."


def _hosts(rules: list[objects.Object]) -> str:
    shown: list[str] = []
    more = False
    for rule in rules:
        more = more or len(shown) == _SHOWN
        if not more and rule.get("host"):
            shown.append(rule["host"])
    if not shown:
        return "*"
    return joined(shown) + (f" + {len(rules) - _SHOWN} more..." if more else "")


def _address(obj: objects.Object) -> str:
    points = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ()
    found = {point.get("ip") or point.get("hostname") or "" for point in points}
    return joined(sorted(found - {""}))


def _ingress(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    return [
        objects.name(obj),
        spec.get("ingressClassName", NONE),
        _hosts(spec.get("rules") or []),
        _address(obj),
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    ]


def _ingress_class(obj: objects.Object, now: float) -> list[Any]:
    spec = objects.spec(obj)
    reference, shown = spec.get("parameters"), NONE
    if reference is not None:
        group = f".{reference['apiGroup']}" if "apiGroup" in reference else ""
        shown = f"{reference.get('kind', '')}{group}/{reference.get('name', '')}"
    return [objects.name(obj), spec.get("controller") or "", shown, age(obj, now)]


def _network_policy(obj: objects.Object, now: float) -> list[Any]:
    selector = objects.spec(obj).get("podSelector") or {}
    return [objects.name(obj), table.label_selector(selector), age(obj, now)]


def _ip_address(obj: objects.Object, now: float) -> list[Any]:
    parent = objects.spec(obj).get("parentRef")
    if parent is None:
        return [objects.name(obj), NONE]
    resource = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part)
    parts = (resource, parent.get("namespace"), parent.get("name"))
    return [objects.name(obj), "/".join(part for part in parts if part)]


def _service_cidr(obj: objects.Object, now: float) -> list[Any]:
    return [objects.name(obj), joined(objects.spec(obj).get("cidrs") or []), age(obj, now)]


INGRESSES = Printer(
    (
        NAME,
        Column("Class", description="The class of controllers that see to it."),
        Column("Hosts", description="Hosts that the rules are for."),
        Column("Address", description="Where its load balancer is reached."),
        Column("Ports", description="Ports of TLS configurations that open."),
        AGE,
    ),
    _ingress,
)
INGRESS_CLASSES = Printer(
    (
        NAME,
        Column("Controller", description="Who sees to ingresses of the class."),
        Column("Parameters", description="A reference to more of its configuration."),
        AGE,
    ),
    _ingress_class,
)
NETWORK_POLICIES = Printer(
    (NAME, Column("Pod-Selector", description="The pods that it is about."), AGE), _network_policy
)
IP_ADDRESSES = Printer(
    (NAME, Column("ParentRef", description="What the address belongs to.")), _ip_address
)
SERVICE_CIDRS = Printer(
    (NAME, Column("CIDRs", description="Networks that services have addresses of."), AGE),
    _service_cidr,
)

BY_RESOURCE = {
    f"ingressclasses.{_GROUP}": INGRESS_CLASSES,
    f"ingresses.{_GROUP}": INGRESSES,
    f"ipaddresses.{_GROUP}": IP_ADDRESSES,
    f"networkpolicies.{_GROUP}": NETWORK_POLICIES,
    f"servicecidrs.{_GROUP}": SERVICE_CIDRS,
}
