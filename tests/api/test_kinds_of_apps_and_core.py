"""Workloads, batch, autoscaling, policy and the rest of core: defaults, messages, rows."""

import copy
import random
from typing import Any

import msgspec
import pytest
import rich_kinds
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import conversion, cron, errors, identity, printing, resources, rules

TABLE = resources.built_in()
NOW = 1_700_000_000.0
HPA = "horizontalpodautoscalers.autoscaling"


def request(version: str = "1.37") -> rules.Request:
    return rules.Request(NOW, random.Random(1), identity.User("tester"), "Warn", version)


def made(name: str, document: Any = None, version: str = "", emulated: str = "1.37") -> Any:
    row = TABLE.get(name, version)
    document = copy.deepcopy(rich_kinds.RICH[name] if document is None else document)
    if row.namespaced:
        document["metadata"]["namespace"] = "default"
    return rules.for_create(row, document, request(emulated)).object


def changed(document: Any, path: str, value: Any) -> Any:
    """A copy with the value at a dotted path (numbers are indices); None takes it out."""
    result = copy.deepcopy(document)
    *steps, last = path.split(".")
    parent = result
    for step in steps:
        parent = parent[int(step)] if step.isdigit() else parent.setdefault(step, {})
    key: Any = int(last) if last.isdigit() else last
    if value is None:
        del parent[key]
    else:
        parent[key] = value
    return result


def refusals(name: str, path: str, value: Any) -> list[str]:
    document = changed(rich_kinds.RICH[name], path, value)
    with pytest.raises(errors.Invalid) as caught:
        made(name, document)
    causes = caught.value.details["causes"]
    return [f"{cause['field']}: {cause['message']}" for cause in causes]


@pytest.mark.parametrize("name", rich_kinds.RICH)
def test_what_is_right_is_taken_without_a_word(name: str) -> None:
    row = TABLE.get(name)
    document = copy.deepcopy(rich_kinds.RICH[name])
    if row.namespaced:
        document["metadata"]["namespace"] = "default"
    outcome = rules.for_create(row, document, request())
    assert outcome.warnings == ()
    again = rules.for_update(row, outcome.object, copy.deepcopy(outcome.object), request())
    assert again.object == outcome.object


DEFAULTS: list[tuple[str, dict[str, Any]]] = [
    ("statefulsets.apps", {
        "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"},
    }),
    ("daemonsets.apps", {"revisionHistoryLimit": 10}),
    ("jobs.batch", {
        "backoffLimit": 2**31 - 1, "suspend": False, "podReplacementPolicy": "Failed",
    }),
    ("cronjobs.batch", {
        "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
    }),
    ("persistentvolumes", {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}),
    ("persistentvolumeclaims", {
        "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "old"},
    }),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields"), DEFAULTS)
def test_what_is_left_out_is_kubernetes_to_say(name: str, fields: dict[str, Any]) -> None:
    spec = made(name)["spec"]
    assert {field: spec[field] for field in fields} == fields


def test_a_job_selects_the_pods_of_its_own_uid() -> None:
    job = made("jobs.batch")
    uid = job["metadata"]["uid"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels == {
        "app": "web", "job-name": "web", "batch.kubernetes.io/job-name": "web",
        "controller-uid": uid, "batch.kubernetes.io/controller-uid": uid,
    }  # fmt: skip
    spec = {"template": rich_kinds.ONCE}
    old = made("jobs.batch", {"metadata": {"name": "web"}, "spec": spec}, emulated="1.27")
    assert "podReplacementPolicy" not in old["spec"]


def test_the_changes_of_a_daemon_sets_template_are_counted() -> None:
    row, old = TABLE.get("daemonsets.apps"), made("daemonsets.apps")
    at = "deprecated.daemonset.template.generation"
    assert old["metadata"]["annotations"][at] == "1"
    new = changed(old, "spec.template.spec.containers.0.image", "other")
    new["metadata"].pop("annotations")
    after = rules.for_update(row, old, new, request()).object
    assert (after["metadata"]["annotations"][at], after["metadata"]["generation"]) == ("2", 2)


MESSAGES: list[tuple[str, str, Any, str]] = [
    ("statefulsets.apps", "metadata.name", "a.b",
     'metadata.name: Invalid value: "a.b": must not contain dots'),
    ("statefulsets.apps", "spec.selector", {},
     "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"),
    ("statefulsets.apps", "spec.selector", None, "spec.selector: Required value"),
    ("statefulsets.apps", "spec.selector", None,
     'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match '
     "template `labels`"),
    ("statefulsets.apps", "spec.selector", {"matchLabels": {"a": "b c"}},
     'spec.selector: Invalid value: {"matchLabels":{"a":"b c"}}'),
    ("statefulsets.apps", "spec.podManagementPolicy", "Any",
     'spec.podManagementPolicy: Invalid value: "Any": must be \'OrderedReady\' or \'Parallel\''),
    ("statefulsets.apps", "spec.updateStrategy", {"type": "OnDelete", "rollingUpdate": {}},
     "spec.updateStrategy.rollingUpdate: Invalid value: {}: only allowed for updateStrategy "
     "'RollingUpdate'"),
    ("statefulsets.apps", "spec.ordinals.start", -1,
     "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"),
    ("statefulsets.apps", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "Keep",
     'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported '
     'values: "Retain", "Delete"'),
    ("statefulsets.apps", "spec.template.spec.restartPolicy", "Never",
     'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'),
    ("statefulsets.apps", "spec.updateStrategy.rollingUpdate.maxUnavailable", 0,
     "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"),
    ("daemonsets.apps", "spec.updateStrategy.rollingUpdate.maxUnavailable", 1,
     'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "10%": may not be set when '
     "maxUnavailable is non-zero"),
    ("daemonsets.apps", "spec.updateStrategy.rollingUpdate.maxSurge", 0,
     "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge "
     "is 0"),
    ("daemonsets.apps", "spec.selector.matchLabels", {"app": "x"},
     'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match '
     "template `labels`"),
    ("replicationcontrollers", "spec.template.spec.activeDeadlineSeconds", 5,
     "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in "
     "ReplicationController is not Supported"),
    ("replicationcontrollers", "spec.template", None, "spec.template: Required value"),
    ("jobs.batch", "spec.template.spec.restartPolicy", "Always",
     'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
    ("jobs.batch", "spec.template.spec.restartPolicy", "OnFailure",
     'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when '
     "podFailurePolicy is specified"),
    ("jobs.batch", "spec.completions", None,
     "spec.completions: Required value: when completion mode is Indexed"),
    ("jobs.batch", "spec.completionMode", "NonIndexed",
     "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
    ("jobs.batch", "spec.backoffLimitPerIndex", None,
     "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"),
    ("jobs.batch", "spec.maxFailedIndexes", 5,
     "spec.maxFailedIndexes: Invalid value: 5: must be less than or equal to completions"),
    ("jobs.batch", "spec.podReplacementPolicy", "TerminatingOrFailed",
     'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: '
     '"Failed"'),
    ("jobs.batch", "spec.podFailurePolicy.rules.0.action", "",
     "spec.podFailurePolicy.rules[0].action: Required value: valid values: "
     '["Count" "FailIndex" "FailJob" "Ignore"]'),
    ("jobs.batch", "spec.podFailurePolicy.rules.0.onExitCodes.values", [3, 1, 1, 0],
     "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,1,1,0]: "
     "must be ordered"),
    ("jobs.batch", "spec.podFailurePolicy.rules.0.onExitCodes.containerName", "x",
     'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of '
     "the container or initContainer names in the pod template"),
    ("jobs.batch", "spec.podFailurePolicy.rules.1.onPodConditions", [],
     "spec.podFailurePolicy.rules[1]: Invalid value: specifying one of OnExitCodes and "
     "OnPodConditions is required"),
    ("jobs.batch", "spec.successPolicy.rules.0.succeededIndexes", "2-1",
     'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "2-1": error parsing '
     "succeededIndexes: non-increasing order, previous: 2, current: 1"),
    ("jobs.batch", "spec.successPolicy.rules.0.succeededIndexes", "9",
     'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "9": error parsing '
     'succeededIndexes: too large index: "9"'),
    ("jobs.batch", "spec.managedBy", "me",
     'spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'),
    ("jobs.batch", "metadata.name", "a" * 62,
     f'metadata.name: Invalid value: "{"a" * 62}": will not able to create pod with invalid DNS '
     f"label: {'a' * 62}-3"),
    ("cronjobs.batch", "spec.schedule", None, "spec.schedule: Required value"),
    ("cronjobs.batch", "spec.schedule", "0 25 * * *",
     'spec.schedule: Invalid value: "0 25 * * *": end of range (25) above maximum (23): 25'),
    ("cronjobs.batch", "spec.schedule", "TZ=UTC 0 * * * *",
     'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use '
     "timeZone field instead"),
    ("cronjobs.batch", "spec.timeZone", "Mars/Base",
     'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'),
    ("cronjobs.batch", "spec.timeZone", "Local",
     'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in '
     "https://www.iana.org/time-zones"),
    ("cronjobs.batch", "spec.concurrencyPolicy", "Maybe",
     'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", '
     '"Replace"'),
    ("cronjobs.batch", "metadata.name", "a" * 53,
     f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'),
    ("cronjobs.batch", "spec.jobTemplate.spec.selector", {},
     "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated"),
    (HPA, "spec.maxReplicas", 1,
     "spec.maxReplicas: Invalid value: 1: must be greater than or equal to `minReplicas`"),
    (HPA, "spec.minReplicas", 0,
     "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
    (HPA, "spec.scaleTargetRef.kind", "a/b",
     'spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain \'/\''),
    (HPA, "spec.metrics.0.type", "Pods",
     "spec.metrics[0].pods: Required value: must populate information for the given metric "
     "source"),
    (HPA, "spec.metrics.0.resource.target.averageUtilization", 0,
     "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: "
     "must be greater than 0"),
    (HPA, "spec.behavior.scaleDown.stabilizationWindowSeconds", 3601,
     "spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: 3601: must be less than "
     "or equal to 3600"),
    (HPA, "spec.behavior.scaleDown.policies", [],
     "spec.behavior.scaleDown.policies: Required value: must specify at least one Policy"),
    ("poddisruptionbudgets.policy", "spec.minAvailable", "101%",
     'spec.minAvailable: Invalid value: "101%": must not be greater than 100%'),
    ("poddisruptionbudgets.policy", "spec.unhealthyPodEvictionPolicy", "Never",
     'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: '
     '"AlwaysAllow", "IfHealthyBudget"'),
    ("endpoints", "subsets.0.addresses.0.ip", "127.0.0.1",
     'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range '
     "(127.0.0.0/8, ::1/128)"),
    ("endpoints", "subsets.0.ports.0.name", "", "subsets[0].ports[0].name: Required value"),
    ("endpoints", "subsets.0", {},
     "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
    ("limitranges", "spec.limits.0.min.cpu", "3",
     'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2'),
    ("limitranges", "spec.limits.1.max", {},
     "spec.limits[1].limits: Required value: either minimum or maximum storage value is required, "
     "but neither was provided"),
    ("limitranges", "spec.limits.1.type", "Container",
     'spec.limits[1].type: Duplicate value: "Container"'),
    ("resourcequotas", "spec.hard.pods", "1500m",
     'spec.hard[pods]: Invalid value: "1500m": must be an integer'),
    ("resourcequotas", "spec.hard.storage", "1",
     'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota'),
    ("resourcequotas", "spec.scopes", ["Terminating", "NotTerminating"],
     'spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'),
    ("persistentvolumes", "spec.nodeAffinity", None,
     "spec.nodeAffinity: Required value: Local volume requires node affinity"),
    ("persistentvolumes", "spec.nfs", {"server": "a", "path": "/"},
     "spec.local: Forbidden: may not specify more than 1 volume type"),
    ("persistentvolumes", "spec.capacity", {"storage": "0"},
     'spec.capacity[storage]: Invalid value: "0": must be greater than zero'),
    ("persistentvolumeclaims", "spec.accessModes", ["ReadWriteOncePod", "ReadOnlyMany"],
     "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"),
    ("persistentvolumeclaims", "spec.resources.requests.storage", None,
     "spec.resources[storage]: Required value"),
    ("persistentvolumeclaims", "spec.volumeMode", "Tape",
     'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "value", "message"), MESSAGES)
def test_what_is_wrong_is_told_in_kubernetes_words(
    name: str, path: str, value: Any, message: str
) -> None:
    assert message in refusals(name, path, value)


FIXED: list[tuple[str, str, Any, str]] = [
    ("statefulsets.apps", "spec.serviceName", "other",
     "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
     "'template', 'updateStrategy', 'revisionHistoryLimit', "
     "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"),
    ("jobs.batch", "spec.completionMode", "NonIndexed",
     'spec.completionMode: Invalid value: "NonIndexed": field is immutable'),
    ("jobs.batch", "spec.completions", 9,
     "spec.completions: Invalid value: 9: can only be modified in tandem with parallelism: 2"),
    ("controllerrevisions.apps", "data", {"a": 2},
     'data: Invalid value: {"a":2}: field is immutable'),
    ("persistentvolumes", "spec.local.path", "/other",
     "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after "
     "creation"),
    ("persistentvolumeclaims", "spec.storageClassName", "slow",
     "spec: Forbidden: spec is immutable after creation except resources.requests and "
     "volumeAttributesClassName for bound claims"),
    ("resourcequotas", "spec.scopes", ["Terminating"],
     'spec.scopes: Invalid value: ["Terminating"]: field is immutable'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "value", "message"), FIXED)
def test_what_may_not_change_is_told(name: str, path: str, value: Any, message: str) -> None:
    documents = rich_kinds.RICH | {
        "controllerrevisions.apps": {"metadata": {"name": "a"}, "revision": 1, "data": {"a": 1}}
    }
    old = made(name, documents[name])
    with pytest.raises(errors.Invalid) as caught:
        rules.for_update(TABLE.get(name), old, changed(old, path, value), request())
    causes = caught.value.details["causes"]
    assert message in [f"{cause['field']}: {cause['message']}" for cause in causes]


def test_a_suspended_job_that_never_ran_may_still_go_elsewhere() -> None:
    row = TABLE.get("jobs.batch")
    old = made("jobs.batch", changed(rich_kinds.RICH["jobs.batch"], "spec.suspend", True))
    new = changed(old, "spec.template.spec.nodeSelector", {"a": "b"})
    rules.for_update(row, old, new, request())
    started = old | {"status": {"startTime": "2024-01-01T00:00:00Z"}}
    with pytest.raises(errors.Invalid, match=r"spec\.template: Invalid value"):
        rules.for_update(row, started, new | {"status": started["status"]}, request())


def test_an_autoscaler_survives_its_old_form() -> None:
    old_row, new_row = TABLE.get(HPA, "v1"), TABLE.get(HPA)
    stored = made(HPA)
    shown = conversion.converted(stored, old_row, new_row)
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 60
    carried = shown["metadata"]["annotations"]
    metrics = msgspec.json.decode(carried["autoscaling.alpha.kubernetes.io/metrics"])
    assert metrics[1] == {
        "type": "Pods",
        "pods": {
            "metricName": "queue", "targetAverageValue": "10", "selector": rich_kinds.SELECTOR,
        },
    }  # fmt: skip
    behavior = msgspec.json.decode(carried["autoscaling.alpha.kubernetes.io/behavior"])
    assert behavior["ScaleDown"]["StabilizationWindowSeconds"] == 60
    back = conversion.restored(shown, old_row, new_row)
    by_type = {metric["type"]: metric for metric in back["spec"]["metrics"]}
    assert by_type == {metric["type"]: metric for metric in stored["spec"]["metrics"]}
    assert back["spec"]["behavior"] == stored["spec"]["behavior"]
    assert "annotations" not in back["metadata"]


@given(st.dictionaries(
    st.sampled_from(["metrics", "behavior", "conditions", "current-metrics"]),
    st.one_of(st.text(), st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["type", "pods", "ScaleUp", "targetAverageValue", "Policies"]), inner),
    ).map(lambda value: msgspec.json.encode(value).decode())),
))  # fmt: skip
def test_annotations_that_mean_nothing_are_left_aside(said: dict[str, str]) -> None:
    row = TABLE.get(HPA, "v1")
    meta = {
        "name": "a", "namespace": "default",
        "annotations": {f"autoscaling.alpha.kubernetes.io/{key}": said[key] for key in said},
    }  # fmt: skip
    spec = {"maxReplicas": 2, "scaleTargetRef": rich_kinds.DEPLOYMENT}
    try:
        found = rules.for_create(row, {"metadata": meta, "spec": spec}, request()).object
    except errors.StatusError as error:
        assert 400 <= error.code < 500  # noqa: PT017  (either this or an object)
    else:
        conversion.restored(found, row, TABLE.get(HPA))


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ("* * * * *", ""), ("@hourly", ""), ("@every 1h30m", ""), ("0-59/2 1,2 ? JAN sun-tue", ""),
        ("5/15 * * * *", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("9-3 * * * *", "beginning of range (9) beyond end of range (3): 9-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"), ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
    ],
)  # fmt: skip
def test_schedules_are_read_as_cron_reads_them(schedule: str, complaint: str) -> None:
    assert cron.complaint(schedule) == complaint


ROWS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("statefulsets.apps", {"readyReplicas": 2}, ["web", "2/3", "60s", "main", "nginx"]),
    ("daemonsets.apps", {"desiredNumberScheduled": 3, "numberReady": 2},
     ["web", 3, 0, 2, 0, 0, "<none>", "60s", "main", "nginx", "app=web"]),
    ("replicationcontrollers", {"replicas": 2, "readyReplicas": 1},
     ["web", 2, 2, 1, "60s", "main", "nginx", "app=web"]),
    ("cronjobs.batch", {"lastScheduleTime": "2023-11-14T22:13:50Z", "active": [{}]},
     ["web", "*/5 2-4,7 1 jan mon", "Europe/Vienna", "False", 1, "30s", "60s", "main", "nginx",
      "<none>"]),
    (HPA, {"currentReplicas": 3, "currentMetrics": [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}]},
     ["web", "Deployment/web", "cpu: 7%/60%, memory: <unknown>/1Gi + 3 more...", "2", 5, 3, "60s"]),
    ("poddisruptionbudgets.policy", {"disruptionsAllowed": 1}, ["web", "50%", "N/A", 1, "60s"]),
    ("endpoints", {},
     ["web", "10.0.0.1:80,10.0.0.1:81", "60s"]),
    ("limitranges", {}, ["web", "2023-11-14T22:13:20Z"]),
    ("resourcequotas", {"hard": {"pods": "10", "limits.memory": "8Gi"}, "used": {"pods": "3"}},
     ["web", "pods: 3/10", "limits.memory: 0/8Gi", "60s"]),
    ("persistentvolumes", {"phase": "Available"},
     ["disk", "5Gi", "RWO,ROX", "Retain", "Available", "", "fast", "<unset>", "", "60s",
      "Filesystem"]),
    ("persistentvolumeclaims", {"phase": "Pending"},
     ["web", "Pending", "", "", "", "fast", "<unset>", "60s", "Filesystem"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "status", "cells"), ROWS)
def test_rows_show_what_kubectl_shows(name: str, status: Any, cells: list[Any]) -> None:
    obj = made(name) | {"status": status}
    printer = printing.of(TABLE.get(name))
    assert printer.cells(obj, NOW + 60) == cells
    assert len(cells) == len(printer.columns)


@pytest.mark.parametrize(
    ("conditions", "shown"),
    [([], "Running"), ([{"type": "Complete", "status": "True"}], "Complete"),
     ([{"type": "Suspended", "status": "True"}], "Suspended"),
     ([{"type": "Failed", "status": "True"}], "Failed")],
)  # fmt: skip
def test_how_a_job_stands_is_shown(conditions: list[Any], shown: str) -> None:
    times = {"startTime": "2023-11-14T22:13:20Z", "completionTime": "2023-11-14T22:13:35Z"}
    job = made("jobs.batch") | {"status": times | {"conditions": conditions, "succeeded": 4}}
    cells = printing.of(TABLE.get("jobs.batch")).cells(job, NOW + 60)
    assert cells[:5] == ["web", shown, "4/4", "15s", "60s"]


def test_what_is_odd_is_told_once() -> None:
    row = TABLE.get("deployments.apps")
    template = copy.deepcopy(rich_kinds.TEMPLATE)
    container = template["spec"]["containers"][0]
    container["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    spec = {"selector": rich_kinds.SELECTOR, "template": template}
    meta = {"name": "a.b", "namespace": "default"}
    outcome = rules.for_create(row, {"metadata": meta, "spec": spec}, request())
    assert outcome.warnings == (
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising "
        "behavior; a DNS label is recommended: [must not contain dots]",
        'spec.template.spec.containers[0].env[1]: hides previous definition of "A", which may be '
        "dropped when using apply",
    )
    scaled = changed(outcome.object, "spec.replicas", 4)
    assert rules.for_update(row, outcome.object, scaled, request()).warnings == ()
