"""Static pods: manifests and mirrors as rules, and in a world with a directory."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubeletworld import NODE, World, container, phase, restarts, world

from cluster.aio import virtual
from cluster.api import errors, mirrorpods
from cluster.kubelet import version
from cluster.kubelet.staticpods import manifests, mirrors
from cluster.kubelet.staticpods.manifests import FILE, HTTP, Place

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - {name: web, image: "nginx:1"}
"""
V34 = version.parse("1.34")
PLACE = Place(FILE, "/etc/kubernetes/manifests/web.yaml")


def read(text: str, place: Place = PLACE, emulated: version.Version = V34) -> list[dict[str, Any]]:
    return manifests.read(text.encode(), place, "node-1", emulated, 5.0)


def test_a_manifest_becomes_a_pod_of_the_node() -> None:
    (pod,) = read(POD)
    meta = pod["metadata"]
    assert (meta["name"], meta["namespace"]) == ("web-node-1", "default")
    assert len(meta["uid"]) == 32
    assert meta["annotations"] == {
        mirrorpods.HASH: meta["uid"], mirrorpods.SOURCE: "file",
        mirrorpods.SEEN: "1970-01-01T00:00:05.000000Z",
    }  # fmt: skip
    assert pod["spec"]["nodeName"] == "node-1"
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["spec"]["tolerations"] == [{"operator": "Exists", "effect": "NoExecute"}]
    assert pod["status"] == {"phase": "Pending"}


def test_the_uid_tells_content_and_place_apart_and_nothing_else() -> None:
    first = read(POD)[0]["metadata"]["uid"]
    assert manifests.read(POD.encode(), PLACE, "node-1", V34, 99.0)[0]["metadata"]["uid"] == first
    assert read(POD.replace("nginx:1", "nginx:2"))[0]["metadata"]["uid"] != first
    assert read(POD, Place(FILE, "/elsewhere"))[0]["metadata"]["uid"] != first


REFERS = POD + "  volumes: [{name: s, secret: {secretName: s}}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no object"),
        ("a: [", "error converting YAML"),
        ("\x00", "error converting YAML|control characters"),
        ("kind: Service\napiVersion: v1", "it is Service of v1"),
        ("kind: Pod\napiVersion: v1\nmetadata: {}", "metadata.name is missing"),
        ("kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec: {}", "spec.containers"),
        ("kind: Pod\napiVersion: v1\nmetadata: {name: x}\nspec: 7", "invalid pod"),
        (POD.replace("name: web,", "name: Big_Name,"), "metadata.name"),
        (REFERS, "static pods may not reference secrets"),
    ],
)
def test_a_bad_manifest_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


def test_older_kubelets_run_pods_that_refer_to_objects() -> None:
    assert read(REFERS, emulated=version.parse("1.33"))


def test_a_url_may_give_a_list() -> None:
    text = f'{{"kind": "PodList", "apiVersion": "v1", "items": [{_json(POD)}]}}'
    (pod,) = read(text, Place(HTTP, "http://x/pods"))
    assert pod["metadata"]["annotations"][mirrorpods.SOURCE] == "http"
    assert "tolerations" not in pod["spec"]
    with pytest.raises(ValueError, match="PodList"):
        read(text)


def _json(text: str) -> str:
    import json

    from cluster.api import yaml_text

    return json.dumps(yaml_text.read(text))


NODE_OBJECT = {"metadata": {"name": NODE, "uid": "n"}}


def test_mirrors_are_made_replaced_and_deleted() -> None:
    (pod,) = read(POD)
    create = mirrors.decide(pod, None, NODE_OBJECT)
    assert isinstance(create, mirrors.Create)
    meta = create.pod["metadata"]
    assert "uid" not in meta
    assert meta["annotations"][mirrorpods.MIRROR] == pod["metadata"]["uid"]
    assert meta["ownerReferences"][0] == {
        "apiVersion": "v1", "kind": "Node", "name": NODE, "uid": "n", "controller": True,
    }  # fmt: skip
    assert "status" not in create.pod
    assert mirrors.decide(pod, None, None) is None
    shown = {**create.pod, "metadata": {**meta, "uid": "m"}}
    assert mirrors.decide(pod, shown, NODE_OBJECT) is None
    gone = mirrors.Delete("default", "web-node-1", "m")
    assert mirrors.decide(None, shown, NODE_OBJECT) == gone
    (changed,) = read(POD.replace("nginx:1", "nginx:2"))
    assert mirrors.decide(changed, shown, NODE_OBJECT) == gone
    leaving = {**shown, "metadata": {**shown["metadata"], "deletionTimestamp": "now"}}
    assert mirrors.decide(pod, leaving, NODE_OBJECT) == gone


NAME = f"web-{NODE}"


async def until(here: World, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The mirror, once there is one and the condition holds."""
    async with asyncio.timeout(120):
        while True:
            try:
                pod = await here.get(NAME)
            except errors.NotFound:
                pod = None
            if pod is not None and condition(pod):
                return pod
            await asyncio.sleep(0.2)


async def uids_of_sandboxes(cri: Any) -> list[str]:
    from cluster.pb.cri.v1 import api_pb2 as pb

    listed = await cri.list_pod_sandbox(pb.ListPodSandboxRequest())
    return [one.metadata.uid for one in listed.items]


def test_a_manifest_runs_and_its_mirror_shows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "web.yaml").write_text(POD)
        (tmp_path / "broken.yaml").write_text("kind: [")
        (tmp_path / ".hidden.yaml").write_text(POD.replace("web", "hidden"))
        async with world() as here:
            cri = here.runtime().cri
            here.start_kubelet(cri, pod_manifest_path=str(tmp_path))
            mirror = await until(here, phase("Running"))
            hashed = mirror["metadata"]["annotations"][mirrorpods.MIRROR]
            assert mirror["metadata"]["annotations"][mirrorpods.HASH] == hashed
            assert mirror["metadata"]["uid"] != hashed
            assert mirror["metadata"]["ownerReferences"][0]["name"] == NODE
            assert await uids_of_sandboxes(cri) == [hashed]
            # Deleting the mirror ends nothing: it is made anew, with the status.
            identity = container(mirror)["containerID"]
            await here.client.delete("pods", NAME, "default")
            other = mirror["metadata"]["uid"]
            again = await until(
                here, lambda pod: pod["metadata"]["uid"] != other and phase("Running")(pod)
            )
            assert container(again)["containerID"] == identity
            # Another content is another pod, which begins when the first has ended.
            (tmp_path / "web.yaml").write_text(POD.replace("nginx:1", "nginx:2"))
            changed = await until(here, lambda pod: _hash(pod) != hashed and phase("Running")(pod))
            assert container(changed)["image"].endswith("nginx:2")
            assert await uids_of_sandboxes(cri) == [_hash(changed)]
            (tmp_path / "web.yaml").unlink()
            await here.gone(NAME)
            await asyncio.sleep(1)
            assert await uids_of_sandboxes(cri) == []

    virtual.run(scenario())


def _hash(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["annotations"][mirrorpods.MIRROR])


@pytest.mark.parametrize("changed", [False, True])
def test_a_restarted_kubelet_finds_its_static_pods(tmp_path: Path, changed: bool) -> None:
    async def scenario() -> None:
        (tmp_path / "web.yaml").write_text(POD)
        async with world() as here:
            cri = here.runtime().cri
            _, task = here.start_kubelet(cri, pod_manifest_path=str(tmp_path))
            before = await until(here, phase("Running"))
            task.cancel()
            await asyncio.sleep(100)
            if changed:
                (tmp_path / "web.yaml").write_text(POD.replace("nginx:1", "nginx:2"))
            here.start_kubelet(cri, pod_manifest_path=str(tmp_path))
            await asyncio.sleep(60)
            after = await until(here, phase("Running"))
            assert (_hash(after) != _hash(before)) is changed
            assert await uids_of_sandboxes(cri) == [_hash(after)]
            if not changed:
                assert after["metadata"]["uid"] == before["metadata"]["uid"]
                assert after["status"] == before["status"]

    virtual.run(scenario())


def test_a_static_pod_restarts_and_counts_as_any_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        noted = "metadata: {name: web, annotations: {kubemu.dev/crash-after: 1s}}"
        (tmp_path / "web.yaml").write_text(
            POD.replace("metadata: {name: web, labels: {app: web}}", noted)
        )
        async with world() as here:
            here.start_kubelet(here.runtime().cri, pod_manifest_path=str(tmp_path))
            pod = await until(here, restarts(2))
            assert container(pod)["lastState"]["terminated"]["exitCode"] == 1

    virtual.run(scenario())


def test_manifests_come_by_url(tmp_path: Path) -> None:
    from aiohttp import web

    from cluster.kubelet.staticpods import fetching

    async def scenario() -> None:
        seen: list[str] = []

        async def answer(request: web.Request) -> web.Response:
            seen.append(request.headers.get("X-Key", ""))
            return web.Response(text=POD, status=200 if len(seen) > 1 else 503)

        app = web.Application()
        app.router.add_get("/pods", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        fetch = fetching.fetcher(f"http://127.0.0.1:{port}/pods", {"X-Key": "k"})
        with pytest.raises(OSError, match="503"):
            await fetch()
        assert await fetch() == POD.encode()
        assert seen == ["k", "k"]
        await runner.cleanup()

    asyncio.run(scenario())
