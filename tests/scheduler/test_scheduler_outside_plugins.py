"""Plugins of others: found, built, guarded. A fault in one is the fault of one attempt."""

import asyncio
import random
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from scheduling import NoBinder, info, node
from test_scheduler_component import World, run

from cluster.scheduler import core, explain, pods
from cluster.scheduler.config import Config
from cluster.scheduler.configuration.settings import MULTI_POINT, PluginSet, ProfileSettings
from cluster.scheduler.framework.events import Event, Occurrence
from cluster.scheduler.framework.points import PostFilterResult, Reads
from cluster.scheduler.framework.status import SUCCESS, Code, Status, unschedulable
from cluster.scheduler.nodes.cache import Cache
from cluster.scheduler.plugins import guard, outside, registry
from cluster.scheduler.plugins.handle import Handle

Json = dict[str, Any]


def settings(name: str = "Mine", args: Any = None) -> ProfileSettings:
    sets = {MULTI_POINT: PluginSet(((name, 1),))}
    return ProfileSettings("default-scheduler", sets, {name: args})


def scheduler(plugin: type, *nodes: Json, args: Any = None) -> core.Core:
    cache = Cache()
    handle = Handle(cache, NoBinder())
    made = registry.profile(settings(args=args), handle, {"Mine": plugin})
    for one in nodes:
        cache.set_node(one)
    return core.Core(made, cache, random.Random(1),
                     explain.History(attempts=4, size=1 << 20))  # fmt: skip


class Base:
    name = "Mine"
    reads = Reads.NODE

    def __init__(self, args: Any, handle: Handle) -> None:
        self.args = args
        self.handle = handle

    def sign(self, _pod: pods.PodInfo) -> Any:
        return None


def raising(*_args: Any) -> Any:
    raise RuntimeError("I broke")


class Scoring(Base):
    def score(self, _state: Any, _pod: Any, _nodes: Any, rows: Any) -> Any:
        return np.full(len(rows), 50)


class Filtering(Base):
    def filter(self, _state: Any, _pod: Any, nodes: Any, rows: Any) -> Any:
        return np.array([int(nodes.name(row) != self.args["only"]) for row in rows.tolist()])

    def verdict(self, *_args: Any) -> Status:
        return unschedulable("node(s) were not the one")


def test_a_plugin_gets_its_arguments_and_filters():
    subject = scheduler(Filtering, node("a"), node("b"), args={"only": "b"})
    decision = subject.schedule(info("p"), 0.0)
    assert isinstance(decision, core.Placed)
    assert decision.node == "b"


def test_its_refusal_is_told_like_any_other():
    subject = scheduler(Filtering, node("a"), node("b"), args={"only": "c"})
    decision = subject.schedule(info("p"), 0.0)
    assert isinstance(decision, core.Unfit)
    assert "0/2 nodes are available: 2 node(s) were not the one." in decision.message
    assert decision.rejected_by == ("Mine",)


@pytest.mark.parametrize(
    ("method", "function", "said"),
    [
        ("score", raising, 'running Score plugin "Mine": RuntimeError: I broke'),
        ("score", lambda *_: np.array([1.5]), "it gave float64 of shape (1,), not 1 whole numbers"),
        ("score", lambda *_: np.array([1, 2]), "it gave int64 of shape (2,), not 1 whole numbers"),
        ("score", lambda *_: None, "it gave object of shape (), not 1 whole numbers"),
        ("score", lambda *_: [101],
         'plugin "Mine" returns an invalid score 101, it should in the range of [0, 100] after '
         "normalizing"),
        ("pre_score", lambda *_: unschedulable("no"), 'running PreScore plugin "Mine": no'),
        ("pre_filter", lambda *_: SUCCESS, "it gave Status, not a Status and names, or None"),
        ("pre_filter", lambda *_: (Status(Code.ERROR, ("ill",)), None),
         'running PreFilter plugin "Mine": ill'),
        ("sign", lambda *_: object(), 'running Sign plugin "Mine": TypeError'),
        ("score", lambda *_: exit(3), "SystemExit: 3"),
    ],
)  # fmt: skip
def test_a_fault_fails_the_attempt_and_names_the_plugin(method: str, function: Any, said: str):
    made = type("Broken", (Scoring,), {method: staticmethod(function)})
    subject = scheduler(made, node("a"))
    with pytest.raises(guard.Fault) as caught:
        subject.schedule(info("p"), 0.0)
    assert said in guard.told(caught.value)
    assert "\n" not in guard.told(caught.value)


def test_a_score_outside_its_range_after_normalizing_is_a_fault():
    class Broken(Base):
        def score(self, _state: Any, _pod: Any, _nodes: Any, rows: Any) -> Any:
            return np.arange(len(rows))

        def normalize(self, scores: Any) -> Any:
            return -scores

    with pytest.raises(guard.Fault, match="returns an invalid score -1, it should in the range"):
        scheduler(Broken, node("a"), node("b")).schedule(info("p"), 0.0)


def test_a_fault_in_what_was_not_asked_for_the_decision_spoils_only_the_explanation():
    made = type("Broken", (Scoring,), {"normalize": staticmethod(raising)})
    subject = scheduler(made, node("a"))
    assert isinstance(subject.schedule(info("p"), 0.0), core.Placed)  # equal scores decide nothing
    told = subject._history.explain("default/p")
    assert told is not None
    assert "the scores cannot be shown: running Score plugin" in told.message


def test_a_reserve_that_breaks_gives_the_room_back():
    class Broken(Base):
        reserve = staticmethod(raising)
        unreserve = staticmethod(raising)

    subject = scheduler(Broken, node("a", cpu="1"))
    for name in ("p", "q"):
        decision = subject.schedule(info(name, cpu="1"), 0.0)
        assert isinstance(decision, core.Failed)
        assert decision.message == 'running Reserve plugin "Mine": RuntimeError: I broke'


def test_faults_outside_of_attempts_do_no_harm():
    class Broken(Base):
        pre_enqueue = staticmethod(raising)
        hints = MappingProxyType({Event.NODE_ADD: raising})

        def __init__(self, args: Any, handle: Handle) -> None:
            super().__init__(args, handle)
            handle.listen(self)

        placed = removed = node_set = node_removed = staticmethod(raising)

    subject = scheduler(Broken, node("a"))
    subject.cache.set_pod(info("there", nodeName="a"))
    subject.cache.remove_pod("default/there")
    subject.cache.remove_node("a")
    status = subject.profile.admit(info("p"))
    assert (status.ok, status.plugin) == (False, "Mine")
    assert "I broke" in status.message
    hint = subject.profile.hints["Mine"][Event.NODE_ADD]
    assert hint(info("p"), Occurrence(Event.NODE_ADD, None, node("b")))


def test_a_sort_that_breaks_falls_back_to_priority_and_time():
    class Sort(Base):
        def sort_key(self, pod: pods.PodInfo, _since: float) -> Any:
            return {"text": "x", "none": None}.get(pod.object["metadata"]["name"], 1 / 0)

    guarded: Any = outside.built("Mine", Sort, None, Handle(Cache(), NoBinder()))
    keys = [guarded.sort_key(info(name, priority=weight), 0.0)
            for name, weight in (("text", 1), ("none", 5), ("fault", 3))]  # fmt: skip
    assert sorted(range(3), key=lambda at: keys[at]) == [1, 2, 0]


def _named(name: str) -> Any:
    return lambda _args, _handle: type("Some", (Scoring,), {"name": name})(None, None)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (raising, 'initializing plugin "Mine": RuntimeError: I broke'),
        (lambda _args, _handle: None, "its name is None"),
        (_named("Other"), "its name is 'Other'"),
        (Base, "has none of the extension points"),
        (lambda *_: type("Half", (Scoring,), {"filter": raising})(None, None),
         "needs both filter and verdict"),
    ],
)  # fmt: skip
def test_a_plugin_that_cannot_be_built_is_refused_with_the_reason(factory: Any, said: str):
    with pytest.raises(ValueError, match="Mine") as caught:
        outside.built("Mine", factory, None, Handle(Cache(), NoBinder()))
    assert said in str(caught.value)


def _installed(folder: Path, name: str, value: str) -> None:
    info = folder / f"some_{name.lower()}-1.0.dist-info"
    info.mkdir(parents=True)
    about = f"Metadata-Version: 2.1\nName: some-{name.lower()}\nVersion: 1.0\n"
    (info / "METADATA").write_text(about)
    (info / "entry_points.txt").write_text(f"[{outside.GROUP}]\n{name} = {value}\n")


def test_a_plugin_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert "no installed package offers it" in outside.missing("Installed")
    _installed(tmp_path, "Installed", "installed_plugin:made")
    _installed(tmp_path, "Absent", "no_such_module:made")
    (tmp_path / "installed_plugin.py").write_text(
        "import numpy as np\n"
        "class made:\n"
        "    name, reads = 'Installed', 0\n"
        "    def __init__(self, args, handle): self.args = args\n"
        "    def score(self, state, pod, nodes, rows): return np.full(len(rows), self.args['n'])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert outside.missing("Installed") == ""
    assert {"Absent", "Installed"} <= set(outside.names())
    made = registry.profile(settings("Installed", {"n": 7}), Handle(Cache(), NoBinder()))
    assert made.weights["Installed"] == 1
    with pytest.raises(outside.Unusable, match=r"\(no_such_module:made\) cannot be loaded"):
        outside.built("Absent", None, None, Handle(Cache(), NoBinder()))


class Moody(Base):
    """Breaks for pods that are named so."""

    def filter(self, _state: Any, pod: Any, _nodes: Any, rows: Any) -> Any:
        if "bad" in pod.object["metadata"]["name"]:
            raise KeyError("mood")
        return np.zeros(len(rows), np.int64)

    def verdict(self, *_args: Any) -> Status:
        return unschedulable("never")

    def sign(self, pod: pods.PodInfo) -> Any:
        return pod.object["metadata"]["name"]

    def post_bind(self, *_args: Any) -> None:
        raise RuntimeError("too late")


def test_a_scheduler_lives_on_with_a_plugin_that_breaks():
    async def scenario(one: World) -> None:
        await one.node("a")
        await one.pod("bad")
        await one.pod("good")
        assert await one.bound("good") == ["a"]
        condition = await one.refused("bad")
        assert condition["reason"] == "SchedulerError"
        assert condition["message"] == "running Filter plugin \"Mine\": KeyError: 'mood'"
        told = one.scheduler.explain("default/bad")
        assert told is not None
        assert told.message == condition["message"]
        await asyncio.sleep(30)
        await one.pod("good-2")
        assert await one.bound("good-2") == ["a"]
        assert await one.events("bad", "FailedScheduling")

    run(scenario, Config(profiles=(settings(),), plugins={"Mine": Moody}))


class Preempting(Base):
    """Has nothing to say where no node passes, in the wrong way."""

    def post_filter(self, *_args: Any) -> Any:
        return SUCCESS, PostFilterResult("nowhere", (info("nobody", nodeName="a"),))


def test_a_promise_of_a_node_that_is_not_there_ends_in_no_placement():
    async def scenario(one: World) -> None:
        await one.node("a", cpu="1")
        await one.pod("big", cpu="2")
        assert (await one.refused("big"))["reason"] == "Unschedulable"
        await one.pod("small", cpu="1")
        assert await one.bound("small") == ["a"]

    sets = {MULTI_POINT: PluginSet((("Mine", 1),), ("DefaultPreemption",))}
    wanted = ProfileSettings("default-scheduler", sets)
    run(scenario, Config(profiles=(wanted,), plugins={"Mine": Preempting}))


def test_each_profile_judges_its_own_pods():
    async def scenario(one: World) -> None:
        await one.node("a")
        await one.node("b")
        await one.pod("mine", schedulerName="picky")
        assert await one.bound("mine") == ["b"]
        await one.pod("theirs", nodeSelector={"kubernetes.io/hostname": "a"})
        assert await one.bound("theirs") == ["a"]
        await one.pod("nobodys", schedulerName="other")
        await asyncio.sleep(20)
        assert "nodeName" not in (await one.get("nobodys"))["spec"]
        events = await one.events("mine", "Scheduled")
        assert events[0]["reportingComponent"] == "picky"

    picky = ProfileSettings("picky", {MULTI_POINT: PluginSet((("Mine", 1),))},
                            {"Mine": {"only": "b"}})  # fmt: skip
    config = Config(profiles=(ProfileSettings("default-scheduler"), picky),
                    plugins={"Mine": Filtering})  # fmt: skip
    run(scenario, config)


def test_profiles_share_the_room_of_nodes_and_promises():
    async def scenario(one: World) -> None:
        await one.node("a", cpu="2")
        await one.pod("first", cpu="2", schedulerName="one")
        await one.bound("first")
        await one.pod("second", cpu="1", schedulerName="two")
        assert "Insufficient cpu" in (await one.refused("second"))["message"]
        await one.client.delete("pods", "first", "default", grace=0)
        assert await one.bound("second") == ["a"]

    run(scenario, Config(profiles=(ProfileSettings("one"), ProfileSettings("two"))))
