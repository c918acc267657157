"""APIServices as rows."""

from typing import Any

from cluster.api import conditions, objects
from cluster.api.printing.table import AGE, NAME, Printer, age
from cluster.api.resources import Column


def _api_service(obj: objects.Object, now: float) -> list[Any]:
    service = objects.spec(obj).get("service")
    where = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
    return [objects.name(obj), where, _available(obj), age(obj, now)]


def _available(obj: objects.Object) -> str:
    found = conditions.find(obj, "Available")
    if found is None:
        return "Unknown"
    if found.get("status") == "True" or not found.get("reason"):
        return str(found.get("status"))
    return f"{found['status']} ({found['reason']})"


API_SERVICES = Printer(
    (
        NAME,
        Column("Service", description="The reference to the service that hosts this API endpoint."),
        Column("Available", description="Whether this service is available."),
        AGE,
    ),
    _api_service,
)

BY_RESOURCE = {"apiservices.apiregistration.k8s.io": API_SERVICES}
