"""Jobs for tests, and how they stand."""

from typing import Any


def job(name: str = "work", **spec: Any) -> dict[str, Any]:
    """A Job of one container that is not started again."""
    annotations = spec.pop("annotations", {})
    pod: dict[str, Any] = {
        "restartPolicy": spec.pop("restartPolicy", "Never"),
        "containers": [{"name": "c", "image": "busybox:1"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod}, **spec},
    }


def condition(found: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """The condition of this type, if it is True."""
    for each in found.get("status", {}).get("conditions", ()):
        if each["type"] == kind and each["status"] == "True":
            return dict(each)
    return None


def ended(found: dict[str, Any]) -> str:
    """`Complete` or `Failed`, or "" for a job that goes on."""
    return next((kind for kind in ("Complete", "Failed") if condition(found, kind)), "")
