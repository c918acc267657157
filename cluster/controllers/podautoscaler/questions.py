"""What has to be asked to know a metric, and the words for what it is. Pure.

Paths and words are those of k8s.io/metrics/pkg/client and of the generated String methods of
apimachinery, which show in events and conditions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from cluster.api import resources, selectors
from cluster.api.objects import Object
from cluster.controllers.podautoscaler.model import Unavailable

RESOURCE: Final = "metrics.k8s.io"
CUSTOM: Final = "custom.metrics.k8s.io"
EXTERNAL: Final = "external.metrics.k8s.io"
_CUSTOM_VERSIONS: Final = ("v1beta2", "v1beta1")


@dataclass(frozen=True, slots=True)
class Question:
    """One read. `paths` are ways to ask it, the best first; `group` is who is asked; `shown` is the
    resource, as messages about its absence name it.
    """

    paths: tuple[str, ...]
    group: str
    shown: str


def resource(namespace: str) -> Question:
    """What the pods of a namespace use. One answer serves all autoscalers of the namespace."""
    path = f"/apis/{RESOURCE}/v1beta1/namespaces/{quote(namespace)}/pods"
    return Question((path,), RESOURCE, f"pods.{RESOURCE}")


def of_pods(namespace: str, metric: Mapping[str, Any], selector: str) -> Question:
    """A metric of the pods that the text of a selector selects. Unavailable."""
    return _custom(namespace, "pods", "*", metric, selector)


def of_object(
    namespace: str, described: Mapping[str, Any], metric: Mapping[str, Any], table: resources.Table
) -> Question:
    """A metric of one object. Unavailable."""
    api_version, kind = described.get("apiVersion") or "", described.get("kind") or ""
    if kind == "Namespace" and api_version in ("", "v1"):
        # The namespace is that of the autoscaler, whatever name is given: it may see no other.
        return _asked(CUSTOM, f"namespaces/{quote(namespace)}/metrics/", "namespaces", metric, "")
    group = api_version.rpartition("/")[0]
    row = of_group_kind(table, group, kind)
    if row is None:
        raise Unavailable(no_match(group, kind))
    return _custom(namespace, row.id, described.get("name") or "", metric, "")


def external(namespace: str, metric: Mapping[str, Any]) -> Question:
    """A metric from outside the cluster. Unavailable."""
    name = metric.get("name") or ""
    where = f"/apis/{EXTERNAL}/v1beta1/namespaces/{quote(namespace)}/{quote(name, safe='')}"
    labels = _selector_text(metric)
    query = "?" + urlencode({"labelSelector": labels}) if labels else ""
    return Question((where + query,), EXTERNAL, f"{name}.{EXTERNAL}")


def of_group_kind(table: resources.Table, group: str, kind: str) -> resources.Resource | None:
    """The resource of a kind, whichever version of its group is named."""
    for row in table:
        if row.kind == kind and row.group == group and not row.remote:
            return row
    return None


def no_match(group: str, kind: str) -> str:
    """What a REST mapper says of a kind that there is not."""
    return f'no matches for kind "{kind}" in group "{group}"'


def shown_selector(selector: Object | None) -> str:
    """A LabelSelector as Go prints it."""
    if selector is None:
        return "nil"
    labels = selector.get("matchLabels") or {}
    pairs = "".join(f"{key}: {labels[key]}," for key in sorted(labels))
    expressions = "".join(
        "LabelSelectorRequirement{"
        f"Key:{each.get('key', '')},Operator:{each.get('operator', '')},"
        f"Values:[{' '.join(each.get('values') or ())}],}},"
        for each in selector.get("matchExpressions") or ()
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{pairs}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


def _custom(
    namespace: str, plural: str, name: str, metric: Mapping[str, Any], selector: str
) -> Question:
    place = f"namespaces/{quote(namespace)}/{plural}/{quote(name, safe='*')}/"
    return _asked(CUSTOM, place, plural, metric, selector)


def _asked(
    group: str, place: str, shown: str, metric: Mapping[str, Any], selector: str
) -> Question:
    labels = _selector_text(metric)
    wanted = {"labelSelector": selector, "metricLabelSelector": labels}
    query = urlencode({key: text for key, text in wanted.items() if text})
    end = quote(metric.get("name") or "", safe="") + (f"?{query}" if query else "")
    paths = tuple(f"/apis/{group}/{version}/{place}{end}" for version in _CUSTOM_VERSIONS)
    return Question(paths, group, f"{shown}.{group}")


def _selector_text(metric: Mapping[str, Any]) -> str:
    selector = metric.get("selector")
    if not selector:
        return ""
    try:
        return selectors.as_text(selectors.of(selector))
    except ValueError as error:
        raise Unavailable(str(error)) from None
