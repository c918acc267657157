"""Security contexts of pods and containers, as a runtime is told of them."""

import kubeletworld as kw
import pytest

from cluster.aio import virtual
from cluster.kubelet import security
from cluster.pb.cri.v1 import api_pb2 as pb

MEMORY = 16 << 30


def pod(spec=None, **context):
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c"}], **(spec or {}), "securityContext": context},
    }


def told(own=None, **context):
    return security.container(pod(**context), {"name": "c", "securityContext": own or {}}, "/prof")


@pytest.mark.parametrize(
    ("spec", "network", "ipc", "pid"),
    [
        ({}, pb.POD, pb.POD, pb.CONTAINER),
        ({"hostNetwork": True}, pb.NODE, pb.POD, pb.CONTAINER),
        ({"hostIPC": True, "hostPID": True}, pb.POD, pb.NODE, pb.NODE),
        ({"shareProcessNamespace": True}, pb.POD, pb.POD, pb.POD),
    ],
)
def test_namespaces_are_the_pods_the_containers_or_the_nodes(spec, network, ipc, pid):
    found = security.namespaces(pod(spec))
    assert (found.network, found.ipc, found.pid) == (network, ipc, pid)


def test_an_ephemeral_container_sees_the_processes_of_its_target():
    found = security.namespaces(pod(), "abc")
    assert (found.pid, found.target_id) == (pb.TARGET, "abc")


def test_a_containers_context_wins_over_the_pods():
    found = told({"runAsUser": 5}, runAsUser=1, runAsGroup=2)
    assert (found.run_as_user.value, found.run_as_group.value) == (5, 2)


def test_root_is_a_user_like_any_other():
    assert told({"runAsUser": 0}, runAsUser=1).run_as_user.value == 0
    assert not told().HasField("run_as_user")


def test_groups_are_those_of_the_pod_and_of_its_volumes():
    found = told(supplementalGroups=[7, 8], fsGroup=9)
    assert list(found.supplemental_groups) == [7, 8, 9]


def test_rights_are_passed_on():
    found = told(
        {
            "privileged": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
        }
    )
    assert found.privileged
    assert found.readonly_rootfs
    assert found.no_new_privs
    assert list(found.capabilities.add_capabilities) == ["NET_ADMIN"]
    assert list(found.capabilities.drop_capabilities) == ["ALL"]


def test_a_profile_of_the_node_is_named_by_its_path():
    found = told(seccompProfile={"type": "Localhost", "localhostProfile": "a/b.json"})
    assert found.seccomp.profile_type == pb.SecurityProfile.Localhost
    assert found.seccomp.localhost_ref == "/prof/a/b.json"


@pytest.mark.parametrize(
    ("requests", "limits", "score"),
    [
        ({}, {}, 1000),
        ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "1Gi"}, -997),
        ({"memory": "8Gi"}, {}, 500),
        ({"memory": "16Gi"}, {}, 3),
        ({"cpu": "1m"}, {}, 999),
    ],
)
def test_the_kernel_kills_first_who_asked_for_least(requests, limits, score):
    spec = {"name": "c", "resources": {"requests": requests, "limits": limits}}
    assert security.oom_score(pod({"containers": [spec]}), spec, MEMORY) == score


def test_a_sandbox_has_sysctls_and_is_privileged_where_a_container_is():
    linux = pb.LinuxPodSandboxConfig()
    containers = [{"name": "c", "securityContext": {"privileged": True}}]
    one = pod({"containers": containers}, sysctls=[{"name": "net.core.somaxconn", "value": "9"}])
    security.sandbox(linux, one)
    assert dict(linux.sysctls) == {"net.core.somaxconn": "9"}
    assert linux.security_context.privileged


ROOT = "image will run as root"
TITLE = '(pod: "p_d(u)", container: c)'


@pytest.mark.parametrize(
    ("whole", "own", "image", "why"),
    [
        ({}, {"runAsUser": 0}, {}, None),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, {}, None),
        ({"runAsNonRoot": True}, {}, {}, f"container has runAsNonRoot and {ROOT} {TITLE}"),
        (
            {}, {"runAsNonRoot": True}, {"uid": pb.Int64Value(value=0)},
            f"container has runAsNonRoot and {ROOT} {TITLE}",
        ),
        ({}, {"runAsNonRoot": True}, {"uid": pb.Int64Value(value=7)}, ""),
        (
            {}, {"runAsNonRoot": True}, {"username": "web"},
            "container has runAsNonRoot and image has non-numeric user (web), "
            f"cannot verify user is non-root {TITLE}",
        ),
        ({"runAsUser": 9}, {"runAsNonRoot": True}, {}, ""),
        (
            {"runAsUser": 9, "runAsNonRoot": True}, {"runAsUser": 0}, {},
            f"container's runAsUser breaks non-root policy {TITLE}",
        ),
    ],
)  # fmt: skip
def test_who_must_not_be_root_is_not(whole, own, image, why):
    spec = {"name": "c", "securityContext": own}
    one = {
        "metadata": {"name": "p", "namespace": "d", "uid": "u"},
        "spec": {"securityContext": whole, "containers": [spec]},
    }
    asked = security.not_root(one, spec)
    assert (security.breach(one, spec, pb.Image(**image)) if asked else None) == why


@pytest.mark.parametrize(
    ("image", "reason"),
    [("busybox", "CreateContainerConfigError"), ("nobody/knows:1", ""), ("curlimages/curl", "non")],
)
def test_an_image_says_who_runs_it(image, reason):
    async def scenario():
        async with kw.world() as world:
            world.start_kubelet(world.runtime().cri)
            strict = {"runAsNonRoot": True}
            await world.pod("p", image=image, command=["sleep", "1000"], securityContext=strict)
            if not reason:
                await world.wait("p", kw.phase("Running"))
                return
            pod = await world.wait("p", kw.waiting("CreateContainerConfigError"))
            message = kw.container(pod)["state"]["waiting"]["message"]
            assert message.startswith("container has runAsNonRoot and image ")
            assert ("non-numeric user (curl_user)" in message) is (reason == "non")

    virtual.run(scenario())
