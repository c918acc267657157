"""How containers are hurt, and healed again whatever came between, by a docker that is none."""

import json

import pytest

from cluster.aio import virtual
from cluster.chaos import compose
from cluster.chaos import experiment as ex
from cluster.chaos.acts import Act, LinkState
from cluster.chaos.reaching import Doors
from cluster.chaos.world import Unable

FULL = ex.DiskFault(full=True)


class Docker:
    """A daemon: who runs, how each is set up, and what it was asked. `broken` are commands that
    fail, with what they complain of.
    """

    def __init__(self, configs=None):
        self.runs = dict.fromkeys(("scheduler", "runtime-1", *(configs or {})), True)
        self.configs = configs or {}
        self.asked, self.broken = [], {}

    async def __call__(self, *arguments, given=b""):
        command, name = arguments[0], arguments[-1]
        if command == "ps":
            return b"\n".join(self._listed(name) for name in self.runs)
        if "{{json .Config}}" in arguments:
            return json.dumps(self.configs[name]).encode()
        if "{{.State.Running}}" in arguments:
            return b"true\n" if self.runs[name] else b"false\n"
        self.asked.append(" ".join(arguments[:2]))
        if command in self.broken:
            raise Unable(self.broken[command])
        return b""

    def _listed(self, name):
        labels = f"com.docker.compose.service={name},com.docker.compose.project=p"
        state = "running" if self.runs[name] else "exited"
        return json.dumps({"ID": name, "State": state, "Labels": labels}).encode()


def on(docker, story, doors=None):
    """Run a story of a world."""

    async def told():
        await story(compose.ComposeWorld("/p", None, doors or Doors()))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compose, "docker", docker)
        virtual.run(told())


def config(*environment, command=("apiserver",)):
    return {"Env": ["PATH=/usr/bin", *environment], "Cmd": list(command)}


@pytest.mark.parametrize(
    ("set_up", "sqlite"),
    [
        (config(), True),
        (config("KUBEMU_STORAGE_BACKEND="), True),
        (config("KUBEMU_STORAGE_BACKEND=sqlite"), True),
        (config("KUBEMU_STORAGE_BACKEND=etcd"), False),
        (config("KUBEMU_STORAGE_BACKEND=sqlite", command=["--storage-backend=memory"]), False),
        ({"Env": None, "Cmd": None}, True),
    ],
)
def test_only_stores_in_sqlite_have_a_bad_disk(set_up, sqlite):
    async def story(world):
        await world.members()
        lacks = world.lacks(Act("disk", "apiserver", "f", 9.0, disk=FULL))
        assert ("no file of SQLite" in lacks) == (not sqlite)
        assert bool(lacks) == (not sqlite)

    on(Docker({"apiserver": set_up}), story, Doors({"apiserver": ""}))


@pytest.mark.parametrize("name", ["kubelet-1", "etcd-1", "apiserver-2"])
@pytest.mark.parametrize(
    ("op", "more"), [("faults", {"api": ex.ApiFault(code=503)}), ("disk", {"disk": FULL})]
)
def test_only_api_servers_that_the_kubeconfig_names_have_faults(op, more, name):
    world = compose.ComposeWorld("/p", None, Doors({"apiserver": ""}))
    said = world.lacks(Act(op, name, "f", 9.0, **more))
    assert said == f"{name} is no API server that can be reached: there is apiserver"


@pytest.mark.parametrize(
    "act",
    [
        Act("faults", "apiserver-2", "f"),
        Act("links", "node-9", links=(LinkState("node-1", cut=False),)),
        Act("start", "kubelet-9"),
        Act("resume", "kubelet-9"),
        Act("slow", "kubelet-9"),
    ],
    ids=str,
)
def test_there_is_nothing_to_be_undone_where_nobody_is(act):
    on(Docker(), lambda world: world.do(act))


@pytest.mark.parametrize(
    "act", [Act("stop", "x"), Act("links", "node-9", links=(LinkState("a", cut=True),))]
)
def test_nobody_cannot_be_hurt(act):
    async def story(world):
        with pytest.raises(Unable, match="there is no service"):
            await world.do(act)

    on(Docker(), story)


def test_a_machine_that_is_down_has_no_links_to_be_healed():
    docker = Docker()
    docker.broken["exec"] = "docker: Error response from daemon: container c is not running"

    async def story(world):
        await world.do(Act("links", "node-1", links=(LinkState("node-2", cut=False),)))
        with pytest.raises(Unable, match="is not running"):
            await world.do(Act("links", "node-1", links=(LinkState("node-2", cut=True),)))

    on(docker, story)
