"""What an experiment makes of requests that take long, or fail, before and after its faults."""

import asyncio

import pytest

from cluster.chaos import reading, report
from cluster.chaos.running import Run
from cluster.lab import chaos
from cluster.lab.lab import Lab

PROBED = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: probed
workload: |
  apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: default}
  spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
steadyState:
  within: 20s
  probes:
  - {name: requests, type: http, service: web, timeout: TIMEOUT, rate: RATE}
faults: []
"""


def probed(answer, timeout: str, rate: str = "10") -> dict:
    """The report of an experiment whose requests to a Service are answered by `answer`."""

    class World(chaos.LabWorld):
        async def ask(self, _address, _port, _request, _within) -> bytes:
            return await answer()

    async def story(cluster):
        text = PROBED.replace("TIMEOUT", timeout).replace("RATE", rate)
        made = reading.parse(text, "probed.yaml")
        return report.document(await Run(made, World(cluster), clock=cluster.clock).run())

    return Lab(seed=1, nodes=1).run(story)


@pytest.mark.parametrize(("timeout", "rate"), [("1s", "10"), ("4s", "10"), ("1s", "1")])
def test_without_a_steady_state_it_is_told_what_became_of_the_requests(timeout, rate) -> None:
    async def never() -> bytes:
        await asyncio.sleep(60.0)
        return b""

    found = probed(never, timeout, rate)
    said = timeout.replace("s", " s")
    assert found["verdict"] == "aborted"
    assert found["reasons"] == [
        f"no steady state within 20s: requests: no answer within {said}",
    ]


def test_requests_that_are_answered_late_and_well_are_a_steady_state() -> None:
    async def late() -> bytes:
        await asyncio.sleep(2.0)
        return b"HTTP/1.1 200 OK\r\n"

    found = probed(late, "5s")
    assert (found["verdict"], found["reasons"]) == ("passed", [])
    (requests,) = found["probes"]
    assert requests["failed"] == 0
    # Those that were under way when the steady state began are not counted.
    assert requests["p99"] == pytest.approx(2.0, abs=0.01)
    assert all(second >= -3 for second, _, _ in requests["bySecond"])


REFUSING = """
apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: refusing
steadyState:
  for: 1s
  probes:
  - {name: api, type: api}
faults:
- {at: 0s, for: 3s, do: api, users: [kubernetes-admin], verbs: [get], code: 503}
recovery: {within: 1500ms}
"""


def refused(do) -> dict:
    """The report of an experiment during which gets fail; `do` may do other than it says."""

    class World(chaos.LabWorld):
        async def do(self, act) -> None:
            await do(super().do, act)

    async def story(cluster):
        made = reading.parse(REFUSING, "refusing.yaml")
        found = report.document(await Run(made, World(cluster), clock=cluster.clock).run())
        await cluster.sleep(60.0)  # till it has ended by itself
        return found

    return Lab(seed=1, nodes=1).run(story)


def test_it_is_well_a_second_after_the_last_request_that_failed() -> None:
    async def as_told(do, act) -> None:
        await do(act)

    found = refused(as_told)
    assert (found["verdict"], found["reasons"]) == ("passed", [])
    assert found["faults"][0]["ended"] + 1.0 <= found["seconds"] <= 4.2


def test_what_became_of_requests_is_told_where_it_is_not_well_again() -> None:
    async def not_undone(do, act) -> None:
        if act.api is not None:
            await do(act)

    found = refused(not_undone)
    assert found["reasons"] == ["not well again within 1.5s: api (ServiceUnavailable)"]
