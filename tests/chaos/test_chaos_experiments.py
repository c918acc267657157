"""Experiment files: what is read, what is refused and where, and that writing gives it back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import marked_yaml
from cluster.apiserver.chaos import service, table
from cluster.chaos import acts, reading, writing
from cluster.chaos import experiment as ex
from cluster.chaos.targets import Chosen
from cluster.launcher import slowing

HEAD = """apiVersion: kubemu.dev/v1alpha1
kind: Experiment
name: try
"""


def read(text: str) -> ex.Experiment:
    return reading.parse(HEAD + text, "try.yaml")


def test_a_file_is_read_field_by_field() -> None:
    made = read("""
seed: 7
needs: {nodes: 3, zones: 2}
steadyState:
  within: 90s
  probes:
  - {name: nodes, type: nodesReady, atLeast: 60%}
  - {name: web, type: http, service: web, namespace: shop, port: http, availability: 99%}
  - {name: pods, type: podsReady, selector: "app=web,tier in (a,b)", atLeast: 3}
faults:
- {at: 2s, for: 1m, do: stop, target: {node: any, only: kubelet}}
- {at: 5s, for: 10s, do: api, users: ["system:node:*"], verbs: [get], code: 503, share: 50%}
- {at: 6s, for: 10s, do: clock, target: {process: "kubelet-*"}, offset: -5m}
- {at: 7s, for: 10s, do: partition, sides: [{zone: a}, {node: node-3}]}
- {at: 8s, do: kill, target: {leader: kube-scheduler}}
expect: {notReady: 50s, evicted: never}
""")
    assert (made.name, made.seed, made.needs) == ("try", 7, ex.Needs(3, 2))
    assert made.probes[0].at_least == pytest.approx(0.6)
    assert (made.probes[1].namespace, made.probes[1].availability) == ("shop", 0.99)
    assert (made.probes[2].at_least, made.probes[2].of_all) == (3.0, False)
    stop, api, clock, cut, kill = made.faults
    assert (stop.seconds, stop.target) == (60.0, ex.Target("node", "any", "kubelet"))
    assert api.target == ex.Target("component", "apiserver")
    assert api.api == ex.ApiFault(("system:node:*",), ("get",), share=0.5, code=503)
    assert clock.offset == -300.0
    assert cut.sides == (ex.Target("zone", "a"), ex.Target("node", "node-3"))
    assert (kill.seconds, made.end) == (0.0, 62.0)
    assert made.expect == {"notReady": 50.0, "evicted": ex.NEVER}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("faults:\n- {do: stap, for: 1s}", "try.yaml:5: faults[0].do: must be one of stop, kill"),
        ("faults:\n- {do: stop, target: {node: a}}", "faults[0].for: must say how long it lasts"),
        ("faults:\n- {do: stop, for: 1s}", "faults[0].target: is missing"),
        ("faults:\n- {do: kill, target: {}}", "exactly one of process, component"),
        ("faults:\n- {do: kill, target: {node: a, zone: b}}", "exactly one of process"),
        ("faults:\n- {do: kill, target: {process: a, only: kubelet}}", "for targets that are"),
        ("faults:\n- {do: api, for: 1s}", "says nothing of what is done"),
        ("faults:\n- {do: api, for: 1s, code: 200}", "must be one of 400"),
        ("faults:\n- {do: impair, for: 1s, target: {node: a}}", "says nothing of what is wrong"),
        ("faults:\n- {do: slow, for: 1s, target: {node: a}, cpu: 120%}", "must be a share"),
        ("faults:\n- {do: kill, for: 1s, target: {node: a}}", "faults[0].for: unknown field"),
        ("faults: []\nexpect: {notready: 1s}", "did you mean notReady?"),
        ("faults: []\nexpect: {notReady: soon}", "must be a duration such as 1m30s, or never"),
        ("faults: []\nexpect: {notReady: 0s}", "expect.notReady: must be longer than 0s"),
        ("faults: []\nworkload: '{'", "workload: is not YAML"),
        ("faults: []\nworkload: '{kind: Pad, apiVersion: v1}'", "there is no kind 'Pad'"),
        ("faults: []\nsteadyState: {probes: [{name: a, type: http}]}", "[0].service: is miss"),
        (
            "faults: []\nsteadyState: {probes: [{name: a, type: api}, {name: a, type: api}]}",
            "there is another probe a",
        ),
        ("nothing: 1", "faults: is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(marked_yaml.InvalidFile) as caught:
        read(text)
    assert complaint in str(caught.value)


STOP = "faults: [{do: stop, for: 1s, target: {node: a}}]\n"


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("- {do: stop, for: 10x, target: {node: a}}", ["[0].for: must be a duration such as 1m30s"
         " or 250ms; it is '10x'"]),
        ("- {do: stop, for: 0s, target: {node: a}}", ["[0].for: must be longer than 0s; it is"
         " '0s'"]),
        ("- {do: stop, for: , target: {node: a}}", ["[0].for: must say how long it lasts"]),
        ("- {do: apy, code: 503}", ["[0].do: must be one of"]),
        ("- {do: api, for: 1s, code: 42}", ["[0].code: must be one of 400"]),
        ("- {do: api, for: 1s, cod: 503}", ["[0].cod: unknown field; did you mean code?"]),
        ("- {do: api}", ["[0].for: must say how long it lasts", "[0]: says nothing of what is"]),
        ("- {do: impair, for: 1s, target: {node: a}, loss: 150%}", ["[0].loss: must be a share"]),
        ("- {do: disk, for: 1s, full: maybe}", ["[0].full: must be true or false"]),
        ("- {do: load, for: 1s, watches: many}", ["[0].watches: must be a whole number"]),
        ("- {do: kill, target: {nod: a}}", ["[0].target.nod: unknown field; did you mean node?"]),
        ("- {do: slow, for: 1s, target: {node: a}}", ["[0].cpu: is missing"]),
        ("- {do: slow, for: 1s, target: {node: a}, cpu: 0}", ["[0].cpu: must be from 1% to 99%"]),
        ("- {do: slow, for: 1s, target: {node: a}, cpu: 0.5%}", ["[0].cpu: must be from 1% to"]),
        ("- {do: slow, for: 1s, target: {node: a}, cpu: 100%}", ["[0].cpu: must be from 1% to"]),
        ("- {do: kill, at: 9999999h, target: {node: a}}", ["[0].at: must be at most 168h0m0s"]),
        ("- {do: stop, for: 169h, target: {node: a}}", ["[0].for: must be at most 168h0m0s"]),
        ("- {do: slow, for: 1h, target: {node: a}, cpu: 50%}", ["[0].for: must be at most 59m30s"]),
        ("- {do: api, for: 59m31s, code: 503}", ["[0].for: must be at most 59m30s; it is '59m31s"]),
        ("- {do: disk, for: 24h, full: true}", ["[0].for: must be at most 59m30s"]),
        ("- {do: api, for: 1s, latency: 61m}", ["[0].latency: must be at most 1h0m0s"]),
        ("- {do: api, for: 1s, dropWatches: 2h}", ["[0].dropWatches: must be at most 1h0m0s"]),
        ("- {do: api, for: 1s, delayWatches: 2h}", ["[0].delayWatches: must be at most 1h0m0s"]),
        ("- {do: disk, for: 1s, latency: 61s}", ["[0].latency: must be at most 1m0s"]),
        ("- {do: impair, for: 1s, target: {node: a}, delay: 61s}", ["[0].delay: must be at"]),
        ("- {do: impair, for: 1s, target: {node: a}, delay: 1s, jitter: 2m}", ["[0].jitter: mus"]),
        ("- {do: api, for: 1s, code: 503, share: 0%}", ["[0].share: must be more than 0"]),
        ("- {do: kill, target: }", ["[0].target: is missing"]),
        ("- {do: kill, target: {node: }}", ["[0].target: names its target by exactly one"]),
        ("- {do: kill, target: {node: ''}}", ["[0].target.node: is empty"]),
        ("- {do: partition, for: 1s, sides: []}", ["[0].sides: is missing"]),
        ("- {do: clock, for: 1s, target: {node: a}, offset: soon}", ["[0].offset: must be a dur"]),
    ],
)  # fmt: skip
def test_one_thing_that_is_wrong_is_told_once(text: str, complaints: list[str]) -> None:
    with pytest.raises(marked_yaml.InvalidFile) as caught:
        read(f"faults:\n{text}")
    told = [f"{one}".partition("faults")[2] for one in caught.value.problems]
    assert [one[: len(begins)] for one, begins in zip(told, complaints, strict=True)] == complaints


@pytest.mark.parametrize(
    ("probe", "complaints"),
    [
        ("{name: a, type: nodeReady, atLeast: 2}", ["probes[0].type: must be one of nodesReady"]),
        ("{name: a, type: api, p99: 0s}", ["probes[0].p99: must be longer than 0s; it is '0s'"]),
        ("{name: a, type: api, timeout: 0s}", ["probes[0].timeout: must be longer than 0s"]),
        ("{name: a, type: http, service: a, port: 99999999}", ["probes[0].port: must be a port"]),
        ("{name: a, type: http, service: A_B}", ["probes[0].service: a lowercase RFC 1123 label"]),
        (
            "{name: a, type: deploymentAvailable, deployment: B}",
            ["probes[0].deployment: a lowercase RFC"],
        ),
        ("{type: api}, {type: api}", ["probes[0].name: is missing", "probes[1].name: is missing"]),
    ],
)
def test_a_wrong_probe_is_told_once(probe: str, complaints: list[str]) -> None:
    with pytest.raises(marked_yaml.InvalidFile) as caught:
        read(f"{STOP}steadyState: {{probes: [{probe}]}}")
    told = [f"{one}".partition("steadyState.")[2] for one in caught.value.problems]
    assert [one[: len(begins)] for one, begins in zip(told, complaints, strict=True)] == complaints


@pytest.mark.parametrize(
    ("workload", "complaint"),
    [
        (
            "workload: |\n  kind: Pod\n  metadata: {name: a\n  spec: {}\n",
            "try.yaml:8: workload: is not YAML: did not find expected ',' or '}'",
        ),
        (
            "workload: |\n\n  apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n  ---\n"
            "  # of what kind?\n  apiVersion: v1\n  kind: Pad\n",
            "try.yaml:12: workload: there is no kind 'Pad' in version 'v1'",
        ),
        (
            "workload: |\n  ---\n  ---\n  apiVersion: v1\n  kind: Pod\n",
            "try.yaml:8: workload: a Pod has no name",
        ),
        ("workload: |\n  just words\n", "try.yaml:6: workload: 'just words' is no Kubernetes"),
        (
            'workload: "kind: [\\n\\n"\n',
            "try.yaml:5: workload: is not YAML: line 3 of its text: did not find expected node",
        ),
    ],
)
def test_what_is_wrong_within_a_workload_is_told_with_the_line_of_the_file(
    workload: str, complaint: str
) -> None:
    with pytest.raises(marked_yaml.InvalidFile) as caught:
        read(STOP + workload)
    assert [f"{one}"[: len(complaint)] for one in caught.value.problems] == [complaint]


@pytest.mark.parametrize("within", ["500ms", "1s"])
def test_a_recovery_lasts_longer_than_it_takes_to_see_that_all_is_well(within: str) -> None:
    with pytest.raises(marked_yaml.InvalidFile, match=r"recovery\.within: must be longer than 1s"):
        read(f"{STOP}recovery: {{within: {within}}}")
    assert read(f"{STOP}recovery: {{within: 1100ms}}").recovery_within == 1.1


def test_the_longest_and_least_that_is_read_can_be_carried_out() -> None:
    made = read("""
faults:
- {do: slow, for: 59m30s, target: {node: a}, cpu: 1%}
- {do: slow, for: 59m30s, target: {node: a}, cpu: 99%}
- {do: api, for: 59m30s, latency: 1h, dropWatches: 1h, delayWatches: 1h}
- {do: disk, for: 59m30s, latency: 1m}
- {do: impair, for: 24h, target: {node: a}, delay: 1m, jitter: 1m}
""")
    slowest, quickest, api, disk, impair = made.faults
    assert (slowest.cpu, quickest.cpu) == (slowing.LEAST, 1 - slowing.LEAST)
    for fault in (slowest, quickest, api, disk):
        (act,) = acts.of(fault, Chosen(("a",)), "id")
        assert act.seconds == service.MOST_SECONDS == slowing.MOST_SECONDS
    assert table.ApiFault(
        latency=api.api.latency, drop_watches=api.api.drop_watches,
        delay_watches=api.api.delay_watches,
    )  # fmt: skip
    assert (disk.disk.latency, impair.link.delay, impair.link.jitter) == (60.0, 60.0, 60.0)


_seconds = st.integers(1, 900_000).map(lambda millis: millis / 1000)
_minute = st.integers(1, 60_000).map(lambda millis: millis / 1000)
_shares = st.integers(0, 100).map(lambda percent: percent / 100)
_some = st.integers(1, 100).map(lambda percent: percent / 100)
_slow = st.integers(1, 99).map(lambda percent: percent / 100)
_targets = st.one_of(
    st.builds(ex.Target, st.sampled_from(["node", "rack", "zone"]), st.sampled_from(["any", "a"]),
              st.sampled_from(["", "kubelet", "runtime"])),
    st.builds(ex.Target, st.just("process"), st.sampled_from(["*", "kubelet-node-1"])),
    st.builds(ex.Target, st.just("leader"), st.just("kube-scheduler")),
)  # fmt: skip
_faults = st.one_of(
    st.builds(ex.Fault, st.sampled_from(["kill", "restart"]), _seconds, target=_targets,
              spacing=_seconds),
    st.builds(ex.Fault, st.sampled_from(["stop", "pause"]), _seconds, _seconds, _targets),
    st.builds(ex.Fault, st.just("slow"), _seconds, _seconds, _targets, cpu=_slow),
    st.builds(ex.Fault, st.just("clock"), _seconds, _seconds, _targets, offset=_seconds),
    st.builds(ex.Fault, st.just("partition"), _seconds, _seconds,
              sides=st.lists(_targets, min_size=1, max_size=3).map(tuple)),
    st.builds(ex.Fault, st.just("impair"), _seconds, _seconds, _targets,
              link=st.builds(ex.Link, _minute, _minute, _shares, _shares, _shares,
                             st.integers(1, 10**9).map(float))),
    st.builds(ex.Fault, st.just("api"), _seconds, _seconds, _targets,
              api=st.builds(ex.ApiFault, st.just(("a*",)), st.just(("get", "list")),
                            share=_some, code=st.just(503), latency=_seconds,
                            drop_watches=_seconds, stale=st.booleans())),
    st.builds(ex.Fault, st.just("disk"), _seconds, _seconds, _targets,
              disk=st.builds(ex.DiskFault, st.booleans(), _minute)),
    st.builds(ex.Fault, st.just("load"), _seconds, _seconds,
              load=st.builds(ex.Load, st.integers(1, 100), _seconds, _seconds, _seconds)),
)  # fmt: skip
_probes = st.builds(
    ex.Probe, st.just("web"), st.just("http"), subject=st.just("web"), port=st.just("80"),
    path=st.just("/a"), host=st.just("shop.test"), rate=st.just(5.0), timeout=_seconds,
    availability=_shares, p99=_seconds,
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.builds(
        ex.Experiment, st.just("drawn"), st.just("two\nlines"), st.integers(0, 2**40),
        st.builds(ex.Needs, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
        st.just("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"), _seconds, _seconds,
        st.lists(_probes, max_size=1).map(tuple), st.lists(_faults, max_size=4).map(tuple),
        st.integers(1001, 900_000).map(lambda millis: millis / 1000),
        st.dictionaries(st.sampled_from(ex.MARKS), st.one_of(_seconds, st.just(ex.NEVER))),
    )
)  # fmt: skip
def test_what_is_written_is_read_as_the_same(made: ex.Experiment) -> None:
    assert reading.parse(writing.text(made), "written.yaml") == made
