from typing import Any

import pytest

from cluster.api import printing, resources

NOW = 1000.0
POD = resources.built_in().get("pods")


def _pod(spec: dict[str, Any], status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    created = {"name": "web", "creationTimestamp": "1970-01-01T00:15:00Z"}
    return {"metadata": created | meta, "spec": spec, "status": status}


def _cells(pod: dict[str, Any]) -> dict[str, Any]:
    assert POD is not None
    printer = printing.of(POD)
    names = [column.name for column in printer.columns]
    return dict(zip(names, printer.cells(pod, NOW), strict=True))


def _container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "c", "state": state, "restartCount": 0, "ready": False} | more


RUNNING: dict[str, Any] = {"running": {}}
ONE = {"containers": [{"name": "c"}]}
TWO = {"containers": [{"name": "c"}, {"name": "d"}]}
INIT = {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}, {"name": "j"}]}
SIDECAR = {
    "containers": [{"name": "c"}],
    "initContainers": [{"name": "s", "restartPolicy": "Always"}],
}
READY = [{"type": "Ready", "status": "True"}]
GATED = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]


@pytest.mark.parametrize(
    ("spec", "status", "ready", "shown"),
    [
        (ONE, {"phase": "Pending"}, "0/1", "Pending"),
        (ONE, {"phase": "Pending", "conditions": GATED}, "0/1", "SchedulingGated"),
        (ONE, {"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted"),
        (ONE, {"phase": "Running", "containerStatuses": [_container(RUNNING, ready=True)]},
         "1/1", "Running"),
        (ONE, {"phase": "Running", "containerStatuses": [_container(RUNNING)]}, "0/1", "Running"),
        (ONE, {"phase": "Running", "containerStatuses": [
            _container({"waiting": {"reason": "CrashLoopBackOff"}})]}, "0/1", "CrashLoopBackOff"),
        (ONE, {"phase": "Succeeded", "containerStatuses": [
            _container({"terminated": {"reason": "Completed", "exitCode": 0}})]},
         "0/1", "Completed"),
        (ONE, {"phase": "Failed", "containerStatuses": [
            _container({"terminated": {"exitCode": 3}})]}, "0/1", "ExitCode:3"),
        (ONE, {"phase": "Failed", "containerStatuses": [
            _container({"terminated": {"exitCode": 137, "signal": 9}})]}, "0/1", "Signal:9"),
        (TWO, {"phase": "Running", "conditions": READY, "containerStatuses": [
            _container({"terminated": {"reason": "Completed"}}),
            _container(RUNNING, ready=True)]}, "1/2", "Running"),
        (TWO, {"phase": "Running", "containerStatuses": [
            _container({"terminated": {"reason": "Completed"}}),
            _container(RUNNING, ready=True)]}, "1/2", "NotReady"),
        (INIT, {"phase": "Pending", "initContainerStatuses": [
            _container({"waiting": {"reason": "PodInitializing"}}, name="i"),
            _container({}, name="j")]}, "0/1", "Init:0/2"),
        (INIT, {"phase": "Pending", "initContainerStatuses": [
            _container({"terminated": {"exitCode": 0}}, name="i"),
            _container(RUNNING, name="j")]}, "0/1", "Init:1/2"),
        (INIT, {"phase": "Pending", "initContainerStatuses": [
            _container({"terminated": {"exitCode": 2}}, name="i")]}, "0/1", "Init:ExitCode:2"),
        (INIT, {"phase": "Pending", "initContainerStatuses": [
            _container({"terminated": {"exitCode": 2, "reason": "Error"}}, name="i")]},
         "0/1", "Init:Error"),
        (INIT, {"phase": "Pending", "initContainerStatuses": [
            _container({"waiting": {"reason": "ErrImagePull"}}, name="i")]},
         "0/1", "Init:ErrImagePull"),
        (SIDECAR, {"phase": "Running", "initContainerStatuses": [
            _container(RUNNING, name="s", started=True, ready=True)],
            "containerStatuses": [_container(RUNNING, ready=True)]}, "2/2", "Running"),
    ],
)  # fmt: skip
def test_status_tells_the_reason_that_matters(
    spec: dict[str, Any], status: dict[str, Any], ready: str, shown: str
) -> None:
    cells = _cells(_pod(spec, status))
    assert (cells["Ready"], cells["Status"]) == (ready, shown)


def test_a_pod_that_is_being_deleted_is_terminating_unless_finished() -> None:
    gone = {"deletionTimestamp": "1970-01-01T00:16:00Z"}
    assert _cells(_pod(ONE, {"phase": "Running"}, **gone))["Status"] == "Terminating"
    assert _cells(_pod(ONE, {"phase": "Failed"}, **gone))["Status"] == "Failed"
    lost = {"phase": "Running", "reason": "NodeLost"}
    assert _cells(_pod(ONE, lost, **gone))["Status"] == "Unknown"


def test_restarts_say_when_the_last_one_was() -> None:
    again = _container(
        RUNNING, restartCount=3, lastState={"terminated": {"finishedAt": "1970-01-01T00:11:40Z"}}
    )
    assert _cells(_pod(ONE, {"containerStatuses": [again]}))["Restarts"] == "3 (5m ago)"
    once = _container(RUNNING, restartCount=1)
    assert _cells(_pod(ONE, {"containerStatuses": [once]}))["Restarts"] == "1"


def test_only_sidecars_count_beside_containers_once_init_is_over() -> None:
    status = {
        "initContainerStatuses": [
            _container({"terminated": {"exitCode": 0}}, name="i", restartCount=4)
        ],
        "containerStatuses": [_container(RUNNING, restartCount=1)],
    }
    assert _cells(_pod(INIT, status))["Restarts"] == "1"


def test_wide_columns_show_where_the_pod_is() -> None:
    gate = {"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]}
    status = {"podIP": "10.1.0.5", "conditions": [{"type": "a", "status": "True"}]}
    cells = _cells(_pod(ONE | gate | {"nodeName": "n1"}, status))
    wide = [cells[name] for name in ("IP", "Node", "Nominated Node", "Readiness Gates", "Age")]
    assert wide == ["10.1.0.5", "n1", "<none>", "1/2", "100s"]


def test_finished_pods_carry_a_completed_condition() -> None:
    assert POD is not None
    printer = printing.of(POD)
    assert printer.conditions(_pod(ONE, {"phase": "Running"})) == []
    assert printer.conditions(_pod(ONE, {"phase": "Failed"}))[0]["reason"] == "Failed"
