"""The group `apiextensions.k8s.io`: pkg/apis/apiextensions/v1/defaults.go."""

from cluster.api import objects
from cluster.api.objects import Object


def definition(obj: Object) -> None:
    """A CustomResourceDefinition: names that follow from others, and no conversion."""
    spec = objects.spec(obj)
    names = spec.get("names")
    if isinstance(names, dict):
        kind = names.get("kind") or ""
        if not names.get("singular"):
            names["singular"] = kind.lower()
        if not names.get("listKind") and kind:
            names["listKind"] = f"{kind}List"
    if spec and not spec.get("conversion"):
        spec["conversion"] = {"strategy": "None"}
    webhook = (spec.get("conversion") or {}).get("webhook") or {}
    service = (webhook.get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443
    for version in spec.get("versions") or ():
        _columns(version)


def _columns(version: Object) -> None:
    for column in version.get("additionalPrinterColumns") or ():
        if column.get("priority") == 0:
            del column["priority"]  # Go leaves a zero out


BY_RESOURCE = {"customresourcedefinitions.apiextensions.k8s.io": definition}
