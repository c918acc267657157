"""The pure parts of the oci driver: what a container is, who it runs as, what goes wrong."""

import asyncio
import dataclasses
import os
import stat

import pytest

from cluster.aio import virtual
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime.oci import capabilities, faults, frames, measuring, pause, spec, users
from cluster.runtime.oci.facts import Facts
from cluster.runtime.oci.shim import carrying, cgroups
from cluster.runtime.oci.shim.console import Console
from cluster.runtime.oci.users import Identity

PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\nbroken\nodd:x:no:0::/:\n"
GROUP = "root:x:0:\nstaff:x:50:app,other\nwheel:x:10:\n"
LINUX = Facts(system="linux", machine="x86_64", program="/usr/bin/crun", cgroups=2)
BOX = pb.PodSandboxConfig(
    metadata=pb.PodSandboxMetadata(name="p", uid="u"), hostname="p",
    linux=pb.LinuxPodSandboxConfig(sysctls={"net.core.somaxconn": "9"}),
)  # fmt: skip


def security(**fields):
    return pb.LinuxContainerSecurityContext(**fields)


def number(value):
    return pb.Int64Value(value=value)


def made(config=None, box=BOX, facts=LINUX, **around):
    settings = {"root": "/r", "sandbox_pid": 7, "cgroup": "/g/c", "identity": Identity()} | around
    config = config or pb.ContainerConfig()
    return spec.container(config, box, facts, spec.Surroundings(**settings))


# ---- users -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "image", "wanted"),
    [
        ({}, "", Identity(0, 0, (0,))),
        ({}, "app", Identity(1000, 1001, (1001, 50))),
        ({}, "app:wheel", Identity(1000, 10, (10, 50))),
        ({}, "7:8", Identity(7, 8, (8,))),
        ({"run_as_user": number(1000)}, "root", Identity(1000, 1001, (1001, 50))),
        ({"run_as_user": number(5)}, "app", Identity(5, 0, (0,))),
        ({"run_as_user": number(5), "run_as_group": number(6)}, "", Identity(5, 6, (6,))),
        ({"run_as_username": "app"}, "", Identity(1000, 1001, (1001, 50))),
        ({"supplemental_groups": [3, 4]}, "", Identity(0, 0, (0, 3, 4))),
    ],
)
def test_who_runs_is_said_by_the_pod_or_else_by_the_image(asked, image, wanted):
    assert users.identity(security(**asked), image, PASSWD, GROUP) == wanted


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("ghost", "unable to find user ghost: no matching entries in passwd file"),
        ("app:ghosts", "unable to find group ghosts: no matching entries in group file"),
        ("99999999999", "'99999999999' is no id of a user or group"),
        ("odd", "unable to find user odd: no matching entries in passwd file"),
    ],
)
def test_a_user_that_is_not_there_is_told_of(image, words):
    with pytest.raises(users.Unknown) as wrong:
        users.identity(security(), image, PASSWD, GROUP)
    assert str(wrong.value) == words


# ---- capabilities ------------------------------------------------------------------------------


def chosen(add=(), drop=(), *, privileged=False, bounding=capabilities.ALL):
    return capabilities.chosen(add, drop, privileged=privileged, bounding=bounding)


def test_capabilities_are_containerds_with_what_is_added_and_without_what_is_dropped():
    usual = chosen()
    assert len(usual) == 14
    assert set(chosen(add=["net_admin"])) - set(usual) == {"CAP_NET_ADMIN"}
    assert set(usual) - set(chosen(drop=["CHOWN"])) == {"CAP_CHOWN"}
    assert chosen(add=["NET_BIND_SERVICE"], drop=["ALL"]) == ["CAP_NET_BIND_SERVICE"]
    assert chosen(add=["ALL"]) == list(capabilities.ALL)
    assert chosen(privileged=True) == list(capabilities.ALL)


def test_no_capability_is_given_that_the_machine_has_not():
    assert chosen(privileged=True, bounding=["CAP_CHOWN"]) == ["CAP_CHOWN"]


def test_a_mask_of_the_kernel_is_read():
    assert capabilities.of_mask(0b100001) == ("CAP_CHOWN", "CAP_KILL")


# ---- config.json -------------------------------------------------------------------------------


def test_a_process_is_as_the_configuration_says():
    config = pb.ContainerConfig(
        command=["a"], args=["b"], working_dir="/w", tty=True,
        envs=[pb.KeyValue(key="K", value="v"), pb.KeyValue(key="PATH", value="/mine")],
    )  # fmt: skip
    config.linux.security_context.no_new_privs = True
    config.linux.resources.oom_score_adj = 900
    found = made(config, identity=Identity(5, 6, (6, 7)))["process"]
    assert found["args"] == ["a", "b"]
    assert found["cwd"] == "/w"
    assert found["env"] == ["PATH=/mine", "HOSTNAME=p", "TERM=xterm", "K=v"]
    assert found["user"] == {"uid": 5, "gid": 6, "additionalGids": [6, 7]}
    assert found["noNewPrivileges"] is True
    assert found["oomScoreAdj"] == 900
    assert "inheritable" not in found["capabilities"]


def test_what_only_root_may_score_is_held_at_what_one_has():
    config = pb.ContainerConfig()
    config.linux.resources.oom_score_adj = -997
    weak = dataclasses.replace(LINUX, least_oom_score=0)
    assert made(config)["process"]["oomScoreAdj"] == -997
    assert made(config, facts=weak)["process"]["oomScoreAdj"] == 0


def namespaces(found):
    return {one["type"]: one.get("path") for one in found["linux"]["namespaces"]}


def test_a_container_joins_the_sandbox_and_has_processes_of_its_own():
    assert namespaces(made()) == {
        "mount": None, "network": "/proc/7/ns/net", "uts": "/proc/7/ns/uts",
        "ipc": "/proc/7/ns/ipc", "pid": None, "cgroup": None,
    }  # fmt: skip


def test_processes_are_shared_where_the_pod_wants_that():
    assert namespaces(made(processes=9))["pid"] == "/proc/9/ns/pid"
    assert "pid" not in namespaces(made(processes=-1))


def test_on_the_nodes_network_there_is_no_namespace_of_it():
    box = pb.PodSandboxConfig()
    box.linux.security_context.namespace_options.network = pb.NODE
    box.linux.security_context.namespace_options.ipc = pb.NODE
    assert set(namespaces(made(box=box))) == {"mount", "pid", "cgroup"}
    kinds = {one["type"] for one in spec.sandbox(box, LINUX, "/p", "/g")["linux"]["namespaces"]}
    assert kinds == {"mount", "pid"}


def test_limits_are_those_of_the_cgroup():
    asked = pb.LinuxContainerResources(
        cpu_shares=512, cpu_quota=50_000, cpu_period=100_000, memory_limit_in_bytes=1 << 20,
        unified={"memory.min": "5"},
    )  # fmt: skip
    assert spec.resources(asked, LINUX) == {
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000},
        "memory": {"limit": 1 << 20},
        "unified": {"memory.min": "5"},
    }
    assert "unified" not in spec.resources(asked, dataclasses.replace(LINUX, cgroups=1))
    assert spec.resources(asked, dataclasses.replace(LINUX, cgroups=0)) == {}


def test_without_cgroups_none_is_asked_for():
    found = made(facts=dataclasses.replace(LINUX, cgroups=0))
    assert "cgroupsPath" not in found["linux"]
    assert all(one["type"] != "cgroup" for one in found["mounts"])


def mounts(found):
    return {one["destination"]: (one["source"], one["options"]) for one in found["mounts"]}


def test_volumes_are_bound_and_outer_ones_first():
    config = pb.ContainerConfig(
        mounts=[
            pb.Mount(container_path="/a/b", host_path="/2", readonly=True),
            pb.Mount(container_path="/a", host_path="/1", propagation=2),
        ]
    )
    found = made(config)
    order = [one["destination"] for one in found["mounts"] if one["type"] == "bind"]
    assert order == ["/a", "/a/b"]
    assert mounts(found)["/a"] == ("/1", ["rbind", "rshared", "rw"])
    assert mounts(found)["/a/b"] == ("/2", ["rbind", "rprivate", "ro"])


def test_a_volume_stands_in_for_our_own_file():
    config = pb.ContainerConfig(mounts=[pb.Mount(container_path="/etc/hosts", host_path="/v")])
    own = (("/etc/hosts", "/ours"), ("/etc/hostname", "/name"))
    found = mounts(made(config, own_files=own))
    assert found["/etc/hosts"][0] == "/v"
    assert found["/etc/hostname"][0] == "/name"


def test_who_is_privileged_sees_all_and_may_use_all_devices():
    config = pb.ContainerConfig()
    config.linux.security_context.privileged = True
    found = made(config)
    assert "maskedPaths" not in found["linux"]
    assert found["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    assert "rw" in mounts(found)["/sys"][1]
    usual = made()
    assert "/proc/kcore" in usual["linux"]["maskedPaths"]
    assert usual["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}


def test_a_sandbox_has_the_name_and_the_sysctls_of_the_pod():
    found = spec.sandbox(BOX, LINUX, "/pause", "/g")
    assert found["hostname"] == "p"
    assert found["linux"]["sysctl"] == {
        "net.core.somaxconn": "9", "net.ipv4.ip_unprivileged_port_start": "0",
    }  # fmt: skip


# ---- cgroups -----------------------------------------------------------------------------------


def test_the_cgroup_of_who_has_ended_is_found_by_its_path(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    for name in ("memory/k/p", "cpu/k/p", "pids/other"):
        (old / name).mkdir(parents=True)
    (old / "memory/k/p/memory.oom_control").write_text("under_oom 0\noom_kill 1\n")
    (new / "k/p").mkdir(parents=True)
    (new / "cgroup.controllers").write_text("memory\n")
    (new / "k/p/memory.events").write_text("oom 2\noom_kill 2\n")
    place = cgroups.at("/k/p", old)
    assert list(place.folders) == ["cpu", "memory"]
    assert cgroups.oom_kills(place) == 1
    assert cgroups.oom_kills(cgroups.at("/k/p", new)) == 2
    assert cgroups.at("", old).folders == cgroups.at("/k/none", new).folders == {}


# ---- faults, facts, frames ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        'runc run failed: unable to start container process: exec: "x": executable file not '
        "found in $PATH",
        "executable file `x` not found in $PATH: No such file or directory",
    ],
)
def test_both_programs_complain_in_the_same_words(said):
    assert faults.starting(said) == (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
        'runc create failed: unable to start container process: exec: "x": executable file not '
        "found in $PATH: unknown"
    )
    assert faults.executing(said).endswith('exec: "x": executable file not found in $PATH: unknown')
    assert faults.exit_code(said) == 127


@pytest.mark.parametrize("more", ["", " in $PATH", ": No such file or directory"])
def test_a_path_that_is_not_there_is_told_of_as_runc_does(more):
    said = f"executable file `/no/such` not found{more}"
    assert 'exec: "/no/such": stat /no/such: no such file or directory: unknown' in (
        faults.executing(said)
    )


@pytest.mark.parametrize(
    ("lack", "word"),
    [
        ({}, ""),
        ({"system": "darwin"}, "use a Linux machine"),
        ({"program": ""}, "apt install crun"),
        ({"machine": "sparc"}, "x86_64 or aarch64"),
        ({"uid": 5, "user_namespaces": False}, "run it as root"),
        ({"uid": 5, "hybrid": True}, "install runc"),
        ({"uid": 5}, ""),
    ],
)
def test_what_a_machine_lacks_is_said_with_what_to_do(lack, word):
    problem = dataclasses.replace(LINUX, **lack).problem()
    assert bool(problem) == bool(word)
    assert word in problem
    assert not problem or "--driver sim" in problem


def test_what_will_be_missing_is_said():
    weak = dataclasses.replace(LINUX, cgroups=0, uid=5, mapped=False)
    assert len(weak.warnings()) == 2
    assert LINUX.warnings() == []


def test_frames_are_taken_as_they_become_whole():
    stream = frames.pack(frames.DATA, b"abc") + frames.document({"a": 1})
    buffer, found = bytearray(), []
    for byte in stream:
        buffer.append(byte)
        found += list(frames.taken(buffer))
    assert found == [(frames.DATA, b"abc"), (frames.JSON, b'{"a": 1}')]


@pytest.mark.parametrize(("keep", "closed"), [(True, False), (False, True)])
def test_the_end_of_a_clients_input_ends_stdin_or_else_his_session(keep, closed):
    class Fed:
        fed, closed = b"", False

        async def feed(self, data):
            self.fed += data

        def end_input(self):
            self.closed = True

    async def main():
        reader, console = asyncio.StreamReader(), Fed()
        reader.feed_data(frames.pack(frames.DATA, b"hi") + frames.pack(frames.END))
        feeding = asyncio.ensure_future(carrying.feed(reader, console, keep=keep))  # noqa: TID251
        await asyncio.sleep(1)
        session_over = feeding.done()
        reader.feed_eof()
        await feeding
        return console.fed, console.closed, session_over

    assert virtual.run(main()) == (b"hi", closed, keep)


@pytest.mark.parametrize("tty", [False, True])
def test_a_process_without_stdin_is_not_given_a_device_of_the_machine(tmp_path, tty):
    console = Console(tmp_path, tty=tty, stdin=False)
    console.prepare()
    try:
        # crun makes the container's user the owner of what it is given.
        assert not any(stat.S_ISCHR(os.fstat(one).st_mode) for one in console.stdio)
        assert os.read(console.stdio[0], 1) == b""
    finally:
        console.close()


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_the_program_of_a_sandbox_is_a_small_file_of_elf(machine, number):
    program = pause.program(machine)
    assert program[:4] == b"\x7fELF"
    assert program[18] == number
    assert len(program) < 256
    assert pause.program("sparc") is None


def test_a_rate_is_that_of_the_time_since_the_last_look():
    from cluster.runtime.records import Container, Sandbox
    from cluster.runtime.script import SERVER

    box = Sandbox("s", BOX, "", 0)
    one = Container("c", box, pb.ContainerConfig(), None, SERVER, 0, started_at=0)
    told = {"cpu": 10**9, "memory": 9, "working": 5, "rss": 4}
    rates = measuring.Rates()
    first = rates.stats(one, told, 2 * 10**9)
    assert first.cpu.usage_nano_cores.value == 5 * 10**8
    second = rates.stats(one, told | {"cpu": 3 * 10**9}, 4 * 10**9)
    assert second.cpu.usage_nano_cores.value == 10**9
    assert not rates.stats(one, None, 5 * 10**9).HasField("cpu")
