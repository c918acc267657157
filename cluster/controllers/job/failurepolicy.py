"""What spec.podFailurePolicy says of a failed pod: the first rule that matches decides.

Source: the Jobs page of the Kubernetes documentation ("Pod failure policy"); messages are those of
pkg/controller/job/pod_failure_policy.go.
"""

from dataclasses import dataclass
from typing import Any, Final

from cluster.api import objects
from cluster.api.objects import Object

IGNORE: Final = "Ignore"
FAIL_JOB: Final = "FailJob"
FAIL_INDEX: Final = "FailIndex"
COUNT: Final = "Count"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a failed pod. `action` is "" where no rule matches, which counts.

    `message` is why the job fails, where the action is FailJob.
    """

    action: str = ""
    message: str = ""

    @property
    def counted(self) -> bool:
        """Whether the failure counts towards the back-off limit."""
        return self.action != IGNORE


_UNMATCHED: Final = Verdict()
_ACTIONS: Final = (IGNORE, FAIL_JOB, FAIL_INDEX, COUNT)


def judge(policy: dict[str, Any] | None, pod: Object) -> Verdict:
    """The verdict on a failed pod."""
    for index, rule in enumerate((policy or {}).get("rules") or ()):
        matched = _matched(rule, pod)
        action = rule.get("action")
        if matched and action in _ACTIONS:
            tail = f"matching {action} rule at index {index}"
            return Verdict(action, f"{matched} {tail}" if action == FAIL_JOB else "")
    return _UNMATCHED


def _matched(rule: dict[str, Any], pod: Object) -> str:
    """What of the pod matches the rule, as the message begins; "" for nothing."""
    space, name = objects.namespace(pod), objects.name(pod)
    if rule.get("onExitCodes") is not None:
        found = _container(objects.status(pod), rule["onExitCodes"])
        if found is None:
            return ""
        code = found["state"]["terminated"]["exitCode"]
        container = found.get("name")
        return f"Container {container} for pod {space}/{name} failed with exit code {code}"
    wanted = [
        (pattern.get("type"), pattern.get("status") or "True")
        for pattern in rule.get("onPodConditions") or ()
    ]
    for condition in objects.status(pod).get("conditions") or ():
        if (condition.get("type"), condition.get("status")) in wanted:
            return f"Pod {space}/{name} has condition {condition['type']}"
    return ""


def _container(status: Object, codes: dict[str, Any]) -> dict[str, Any] | None:
    """The first container that failed with such a code; init containers come last."""
    only, values = codes.get("containerName"), codes.get("values") or ()
    listed = codes.get("operator") == "In"
    for field in ("containerStatuses", "initContainerStatuses"):
        found: dict[str, Any]
        for found in status.get(field) or ():
            ended = (found.get("state") or {}).get("terminated")
            if ended is None or (only is not None and only != found.get("name")):
                continue
            code = ended.get("exitCode") or 0
            if code and (code in values) == listed:
                return found
    return None
