"""Pod templates, which every workload has (ValidatePodTemplateSpec in core validation)."""

from typing import Any, Final

from cluster.api import causes, objectmeta, selectors
from cluster.api.errors import Cause
from cluster.api.objects import Object
from cluster.api.validation import podspec
from cluster.api.validation.values import Causes

_NO_MATCH: Final = "`selector` does not match template `labels`"


def template(path: str, given: Object) -> Causes:
    """What is wrong with a pod template."""
    spec = given.get("spec") or {}
    found = meta(path, given)
    found += podspec.pod_spec(f"{path}.spec", spec)
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        found.append(causes.forbidden(f"{path}.spec.ephemeralContainers", detail))
    return found


def meta(path: str, given: Object) -> Causes:
    """What is wrong with the labels and annotations of a template."""
    said = given.get("metadata") or {}
    found = objectmeta.check_labels(said.get("labels") or {}, f"{path}.labels")
    annotations = said.get("annotations") or {}
    return found + objectmeta.check_annotations(annotations, f"{path}.annotations")


def always(path: str, given: Object, kind: str) -> Causes:
    """What is wrong with a template whose pods are to run for ever."""
    spec = given.get("spec") or {}
    found: Causes = []
    if spec.get("restartPolicy") != "Always":
        at, policy = f"{path}.spec.restartPolicy", spec.get("restartPolicy") or ""
        found.append(causes.not_supported(at, policy, ("Always",)))
    if "activeDeadlineSeconds" in spec:
        detail = f"activeDeadlineSeconds in {kind} is not Supported"
        found.append(causes.forbidden(f"{path}.spec.activeDeadlineSeconds", detail))
    return found


def matches(selector: Object | None, given: Object) -> bool:
    """Whether a selector finds the template's pods; a broken one is told of elsewhere."""
    try:
        return selectors.of(selector).matches(labels(given))
    except ValueError:
        return True


def labels(given: Object) -> dict[str, str]:
    """The labels of a template's pods."""
    return (given.get("metadata") or {}).get("labels") or {}


def mismatch(path: str, given: Object) -> Cause:
    """The selector does not find the template's pods."""
    shown: Any = labels(given) or None
    return causes.invalid(f"{path}.metadata.labels", shown, _NO_MATCH)
