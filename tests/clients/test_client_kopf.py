"""The operator framework `kopf`: its operators run as processes of their own, and reconcile.

`operators/everything.py` has a handler of each kind. kopf's own examples come with its source,
which scripts/clients unpacks.
"""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clientworld
import pytest
import yaml
from clientworld import World
from realcluster import until

pytest.importorskip("kopf", reason="pip install kopf")

OWN = Path(__file__).parent / "operators" / "everything.py"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FINALIZER = "tests.kubemu.dev/kopf"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module", autouse=True)
def kopfexample(cluster: World) -> Iterator[None]:
    """The kind that kopf's examples are about, with a schema, a status and printed columns."""
    found = clientworld.definition("kopf.dev", "kopfexamples", "KopfExample")
    found["spec"]["names"]["shortNames"] = ["kex"]
    cluster.post(DEFINITIONS, found)
    path = f"{DEFINITIONS}/kopfexamples.kopf.dev"
    until("the kind is served", lambda: clientworld.established(cluster.get(path)))
    yield
    cluster.call("DELETE", path)
    until("the kind is gone", lambda: "kopfexamples.kopf.dev" not in str(cluster.get(DEFINITIONS)))


class Operator:
    """A kopf operator at work in one namespace."""

    def __init__(self, cluster: World, namespace: str, log: Path) -> None:
        self.cluster, self.namespace, self.log = cluster, namespace, log
        self.path = f"/apis/kopf.dev/v1/namespaces/{namespace}/kopfexamples"

    def make(self, name: str, **spec: Any) -> None:
        self.cluster.post(self.path, example(name, **spec))

    def get(self, name: str) -> Any:
        return self.cluster.get(f"{self.path}/{name}")

    def status(self, name: str, *reached: str) -> Any:
        """The object's status, once it has all of these."""

        def look() -> Any:
            found = self.get(name).get("status") or {}
            return found if all(each in found for each in reached) else None

        try:
            return until(f"{name} has {reached}", look, 20)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.get(name)}\n{self.said()}") from None

    def patch(self, name: str, change: Any) -> None:
        self.cluster.call("PATCH", f"{self.path}/{name}", change, MERGE)

    def delete(self, name: str) -> None:
        self.cluster.call("DELETE", f"{self.path}/{name}")

    def names(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.cluster.get(self.path)["items"]]

    def said(self) -> str:
        return self.log.read_text()

    def told(self, name: str) -> set[str]:
        """The messages of the events about an object."""
        events = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/events")["items"]
        return {each["message"] for each in events if each["involvedObject"].get("name") == name}


def example(name: str, **spec: Any) -> Any:
    return {
        "apiVersion": "kopf.dev/v1",
        "kind": "KopfExample",
        "metadata": {"name": name, "labels": {"somelabel": "somevalue"}},
        "spec": {"duration": "1m", "field": "value", "items": ["item1", "item2"]} | spec,
    }


@contextlib.contextmanager
def running(cluster: World, namespace: str, script: Path, folder: Path) -> Iterator[Operator]:
    """Run an operator, and end it as a user would."""
    log = folder / f"{script.stem}.log"
    command = [sys.executable, "-m", "kopf", "run", "--verbose", "-n", namespace, str(script)]
    with log.open("a") as out, subprocess.Popen(
        command, env=cluster.environment, cwd=folder, stdout=out, stderr=out
    ) as process:  # fmt: skip
        try:
            yield Operator(cluster, namespace, log)
        finally:
            process.terminate()
            try:
                code = process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    said = log.read_text()
    assert code == 0, said
    assert "Traceback" not in said, said


def test_objects_are_made_changed_and_deleted(
    cluster: World, namespace: str, tmp_path: Path
) -> None:
    with running(cluster, namespace, OWN, tmp_path) as operator:
        operator.make("one")
        status = operator.status("one", "made", "retried", "field")
        assert status["made"] == {"field": "value", "child": "one"}
        assert status["field"] == {"new": "value"}
        assert operator.status("one", "ticks")["ticks"] >= 1
        assert operator.get("one")["metadata"]["finalizers"] == [FINALIZER]
        until("its daemon is at work", (tmp_path / "attends-one").exists)

        operator.patch("one", {"spec": {"field": "other", "items": None}})
        changes = operator.status("one", "changed")["changed"]
        assert ["change", ["spec", "field"], "value", "other"] in changes
        assert ["remove", ["spec", "items"], ["item1", "item2"], None] in changes
        until("its field is seen", lambda: operator.status("one")["field"]["new"] == "other")

        operator.delete("one")
        until("it is gone", lambda: operator.names() == [])
        assert not (tmp_path / "attends-one").exists()
        told = {"Handler 'made' succeeded.", "Handler 'gone' succeeded.", "one goes"}
        until("events tell of it", lambda: told <= operator.told("one"))
        assert any("not yet" in each for each in operator.told("one"))


def test_an_operator_takes_up_what_it_left(cluster: World, namespace: str, tmp_path: Path) -> None:
    with running(cluster, namespace, OWN, tmp_path) as operator:
        operator.make("one")
        operator.status("one", "made", "retried")
        assert "resumed" not in operator.get("one")["status"]
    operator.make("made-meanwhile")
    operator.delete("one")
    assert operator.get("one")["metadata"]["deletionTimestamp"]
    with running(cluster, namespace, OWN, tmp_path) as operator:
        operator.status("made-meanwhile", "made", "retried")
        until("the deleted one is let go", lambda: operator.names() == ["made-meanwhile"])
    with running(cluster, namespace, OWN, tmp_path) as operator:
        operator.status("made-meanwhile", "resumed")
        operator.delete("made-meanwhile")
        until("all are gone", lambda: operator.names() == [])


def test_events_of_built_in_kinds(cluster: World, namespace: str, tmp_path: Path) -> None:
    with running(cluster, namespace, OWN, tmp_path) as operator:
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        cluster.post(path, {"metadata": {"name": "c", "labels": {"watched": "yes"}}})
        cluster.post(path, {"metadata": {"name": "other"}})
        until(
            "it is seen",
            lambda: "seen ADDED c" in operator.said() or "seen None c" in operator.said(),
        )
        cluster.call("PATCH", f"{path}/c", {"data": {"a": "b"}}, MERGE)
        until("its change is seen", lambda: "seen MODIFIED c" in operator.said())
        cluster.call("DELETE", f"{path}/c")
        until("its end is seen", lambda: "seen DELETED c" in operator.said())
        assert "other" not in operator.said().replace("another", "")


@pytest.fixture
def examples() -> Path:
    return clientworld.program("kopf/examples", "kopf's source with its examples")


def test_kopfs_minimal_example(
    cluster: World, namespace: str, tmp_path: Path, examples: Path
) -> None:
    script = Path(shutil.copy(examples / "01-minimal" / "example.py", tmp_path))
    thing = yaml.safe_load((examples / "obj.yaml").read_text())
    with running(cluster, namespace, script, tmp_path) as operator:
        operator.cluster.post(operator.path, thing)
        name = thing["metadata"]["name"]
        status = operator.status(name, "create_fn")
        assert status["create_fn"] == {"message": "hello world"}
        assert "And here we are! Creating:" in operator.said()
        operator.delete(name)
        until("it is gone", lambda: operator.names() == [])


def test_kopfs_example_of_children(
    cluster: World, namespace: str, tmp_path: Path, examples: Path
) -> None:
    if not (examples / "02-children" / "example.py").exists():
        pytest.skip("this kopf has no example of children")
    script = Path(shutil.copy(examples / "02-children" / "example.py", tmp_path))
    with running(cluster, namespace, script, tmp_path) as operator:
        operator.make("parent", duration="0")
        operator.status("parent", "create_fn")
        pods = f"/api/v1/namespaces/{namespace}/pods"
        found = cluster.get(pods)["items"]
        assert [each["metadata"]["ownerReferences"][0]["name"] for each in found] == ["parent"]
        operator.delete("parent")
        until("the child is gone with it", lambda: not cluster.get(pods)["items"])
