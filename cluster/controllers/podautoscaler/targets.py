"""The target of an autoscaler: where its Scale is. Pure."""

from urllib.parse import quote

from cluster.api import objects, resources
from cluster.api.objects import Object
from cluster.controllers.podautoscaler import questions
from cluster.controllers.podautoscaler.model import Unavailable


def of(hpa: Object, table: resources.Table) -> tuple[str, str]:
    """The resource id of the target, and the path of its Scale. Unavailable for no such kind."""
    reference = objects.spec(hpa).get("scaleTargetRef") or {}
    api_version, kind = reference.get("apiVersion") or "", reference.get("kind") or ""
    if api_version.count("/") > 1:
        raise Unavailable(f"unexpected GroupVersion string: {api_version}")
    group = api_version.rpartition("/")[0]
    row = table.of_kind(api_version, kind) or questions.of_group_kind(table, group, kind)
    if row is None or not row.namespaced:
        raise Unavailable(questions.no_match(group, kind))
    root = f"/apis/{row.api_version}" if row.group else f"/api/{row.version}"
    name = quote(reference.get("name") or "", safe="")
    space = quote(objects.namespace(hpa))
    return row.id, f"{root}/namespaces/{space}/{row.plural}/{name}/scale"
