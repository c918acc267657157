"""What volumes show, and how it gets on a disk: the real one, or one in memory."""

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import clock
from cluster.api import fileowners
from cluster.kubelet import downward
from cluster.kubelet.pods import Pod
from cluster.kubelet.volumes import atomic, contents, hostpaths, mounting, references, setups
from cluster.kubelet.volumes.contents import File
from cluster.kubelet.volumes.layout import Layout
from cluster.kubelet.volumes.realdisk import RealDisk
from cluster.kubelet.volumes.references import Reference
from cluster.runtime.nodedisk import MemoryDisk

POD = {
    "metadata": {
        "name": "p", "namespace": "ns", "uid": "u", "labels": {"b": "2", "a": 'say "1"\n'},
    },
    "spec": {
        "containers": [
            {"name": "c", "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "1Mi"}}}
        ]
    },
}  # fmt: skip


def encoded(text):
    return base64.b64encode(text.encode()).decode()


CONF = {"data": {"a": "1", "b": "2"}, "binaryData": {"c": encoded("3")}}
KNOWN = {
    Reference("configmaps", "ns", "conf"): CONF,
    Reference("secrets", "ns", "sec"): {"data": {"k": encoded("hidden")}},
    Reference("configmaps", "ns", "gone"): None,
    Reference("clustertrustbundles.certificates.k8s.io", "", "trust"): {
        "spec": {"trustBundle": "PEM"}
    },
}


def payload(volume, pod=POD):
    node = downward.Node(allocatable=(("cpu", "4"), ("memory", "1Gi")))
    facts = contents.Facts(pod, KNOWN, lambda one: f"token:{one.audience}".encode(), node)
    return contents.payload(facts, {"name": "v", **volume})


def shown(volume, pod=POD):
    found = payload(volume, pod)
    return {path: (file.data.decode(), file.mode) for path, file in found.items()}


def field(path, of):
    return {"path": path, "fieldRef": {"fieldPath": of}}


def amount(path, of, **more):
    return {"path": path, "resourceFieldRef": {"containerName": "c", "resource": of, **more}}


@pytest.mark.parametrize(
    ("volume", "files"),
    [
        (
            {"configMap": {"name": "conf", "defaultMode": 0o400}},
            {"a": ("1", 0o400), "b": ("2", 0o400), "c": ("3", 0o400)},
        ),
        (
            {"configMap": {"name": "conf", "items": [{"key": "a", "path": "x/y", "mode": 0o600}]}},
            {"x/y": ("1", 0o600)},
        ),
        ({"configMap": {"name": "gone", "optional": True}}, {}),
        (
            {
                "configMap": {
                    "name": "conf",
                    "optional": True,
                    "items": [{"key": "none", "path": "n"}, {"key": "b", "path": "b"}],
                }
            },
            {"b": ("2", 0o644)},
        ),
        ({"secret": {"secretName": "sec"}}, {"k": ("hidden", 0o644)}),
        (
            {
                "downwardAPI": {
                    "items": [field("l", "metadata.labels"), field("n", "metadata.name")]
                }
            },
            {"l": ('a="say \\"1\\"\\n"\nb="2"', 0o644), "n": ("p", 0o644)},
        ),
        (
            {
                "downwardAPI": {
                    "items": [
                        amount("cpu", "limits.cpu"),
                        amount("milli", "limits.cpu", divisor="1m"),
                        amount("mem", "limits.memory", divisor="1Mi"),
                        amount("ask", "requests.memory"),
                        amount("none", "requests.cpu"),
                    ]
                }
            },
            {
                "cpu": ("2", 0o644),
                "milli": ("1500", 0o644),
                "mem": ("1024", 0o644),
                "ask": ("1048576", 0o644),
                "none": ("0", 0o644),
            },
        ),
        (
            {
                "projected": {
                    "defaultMode": 0o440,
                    "sources": [
                        {"configMap": {"name": "conf", "items": [{"key": "a", "path": "k"}]}},
                        {"secret": {"name": "sec"}},
                        {"serviceAccountToken": {"path": "t", "audience": "vault"}},
                        {"clusterTrustBundle": {"name": "trust", "path": "ca"}},
                    ],
                }
            },
            {"k": ("hidden", 0o440), "t": ("token:vault", 0o440), "ca": ("PEM", 0o440)},
        ),
    ],
)
def test_a_volume_shows_what_it_is_made_of(volume, files):
    assert shown(volume) == files


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            {"configMap": {"name": "conf", "items": [{"key": "x", "path": "x"}]}},
            "configmap references non-existent config key: x",
        ),
        (
            {"secret": {"secretName": "sec", "items": [{"key": "x", "path": "x"}]}},
            "references non-existent secret key: x",
        ),
        (
            {
                "projected": {
                    "sources": [{"configMap": {"name": "gone"}}, {"secret": {"name": "n"}}]
                }
            },
            '[configmap "gone" not found, secret "n" not found]',
        ),
        (
            {"downwardAPI": {"items": [{**amount("x", "limits.cpu"), "resourceFieldRef": {
                "containerName": "none", "resource": "limits.cpu"}}]}},
            "container none not found",
        ),
    ],
)  # fmt: skip
def test_a_volume_that_cannot_be_says_why(volume, why):
    with pytest.raises(contents.Unready) as error:
        shown(volume)
    assert str(error.value) == why


@pytest.mark.parametrize(
    ("context", "mode", "owner"),
    [({}, 0o644, 0), ({"fsGroup": 1}, 0o600, 0), ({"runAsUser": 7}, 0o600, 7)],
)
def test_a_token_is_for_its_owner_alone(context, mode, owner):
    pod = {**POD, "spec": {**POD["spec"], "securityContext": context}}
    volume = {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    assert shown(volume, pod)["t"] == ("token:", mode)
    assert payload(volume, pod)["t"].owner == owner


def test_only_what_a_container_mounts_is_referred_to():
    volumes = [
        {"name": "a", "configMap": {"name": "one"}},
        {"name": "b", "projected": {"sources": [{"secret": {"name": "two"}}]}},
        {"name": "c", "secret": {"secretName": "unused"}},
    ]
    mounts = [{"name": "a", "mountPath": "/a"}]
    init = [{"name": "i", "volumeMounts": [{"name": "b", "mountPath": "/b"}]}]
    spec = {
        "volumes": volumes, "containers": [{"name": "c", "volumeMounts": mounts}],
        "initContainers": init,
    }  # fmt: skip
    pod = {"metadata": {"namespace": "ns"}, "spec": spec}
    assert references.of_pod(pod) == [
        Reference("configmaps", "ns", "one"),
        Reference("secrets", "ns", "two"),
    ]


# ---- on a disk -------------------------------------------------------------------------------


@pytest.fixture(params=["real", "memory"])
def disk(request, tmp_path):
    made = RealDisk() if request.param == "real" else MemoryDisk(clock.SystemClock())
    made.make_folder(str(tmp_path), 0o755)
    return made


def read(disk, folder):
    """What a user of the volume sees, by path."""
    found = {}
    for name in disk.names(folder):
        path = f"{folder}/{name}"
        if name.startswith(".."):
            continue
        true = disk.true_path(path)
        if disk.kind(true) == "folder":
            found |= {f"{name}/{inner}": data for inner, data in read(disk, true).items()}
        else:
            found[name] = disk.read(true)
    return found


def test_all_files_change_at_once_and_nothing_old_is_left(disk, tmp_path):
    folder = f"{tmp_path}/v"
    disk.make_folder(folder, 0o777)
    first = {"a": File(b"1", 0o600), "d/b": File(b"2", 0o644)}
    assert atomic.write(disk, folder, first, (0.0, 1))
    old = disk.target(f"{folder}/..data")
    assert disk.target(f"{folder}/a") == "..data/a"
    assert not atomic.write(disk, folder, first, (1.0, 2))
    assert disk.target(f"{folder}/..data") == old == "..1970_01_01_00_00_00.000000001"
    assert atomic.write(disk, folder, {"a": File(b"3", 0o600), "e": File(b"", 0o644)}, (2.0, 3))
    assert read(disk, folder) == {"a": b"3", "e": b""}
    assert disk.names(folder) == ["..1970_01_01_00_00_02.000000003", "..data", "a", "e"]


def test_a_file_of_a_user_is_his(disk, tmp_path):
    folder = f"{tmp_path}/v"
    disk.make_folder(folder, 0o777)
    atomic.write(disk, folder, {"t": File(b"1", 0o600, 7)}, (0.0, 1))
    true = disk.true_path(f"{folder}/t")
    if isinstance(disk, RealDisk):
        owner = fileowners.of(true, os.lstat(true))[0]
    else:
        owner = disk.node(true).uid
    assert owner == 7
    assert disk.mode(true) & 0o777 == 0o600


_NAMES = st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"])
_PAYLOADS = st.dictionaries(_NAMES, st.binary(max_size=8), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PAYLOADS, max_size=6))
def test_after_every_write_the_volume_shows_the_last_payload(payloads):
    disk = MemoryDisk(clock.SystemClock())
    disk.make_folder("/v", 0o777)
    for number, payload in enumerate(payloads):
        wanted = {path: File(data, 0o644) for path, data in payload.items()}
        atomic.write(disk, "/v", wanted, (float(number), number))
        assert read(disk, "/v") == payload
        assert sum(name.startswith("..1970") for name in disk.names("/v")) == 1


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "..x", ""])
def test_a_path_that_leads_out_is_refused(disk, tmp_path, path):
    with pytest.raises(contents.Unready, match="invalid path"):
        atomic.write(disk, f"{tmp_path}/v", {path: File(b"", 0o644)}, (0.0, 0))


def test_what_a_group_shares_is_for_the_group(tmp_path):
    disk = RealDisk()
    disk.write(f"{tmp_path}/v/f", b"", 0o600)
    (tmp_path / "outside").write_text("")
    (tmp_path / "outside").chmod(0o600)
    (tmp_path / "v" / "l").symlink_to(tmp_path / "outside")
    disk.share(f"{tmp_path}/v", os.getgid(), readonly=False)
    assert (tmp_path / "v" / "f").stat().st_mode & 0o777 == 0o660
    assert (tmp_path / "v").stat().st_mode & 0o2770 == 0o2770
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o600


# ---- paths of the node -----------------------------------------------------------------------


def prepare(disk, tmp_path, path, kind, **more):
    layout = Layout(f"{tmp_path}/kubelet", f"{tmp_path}/host")
    hostpaths.prepare(disk, layout, setups.Host(path, kind, **more))
    return tmp_path / "host" / path.lstrip("/")


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        ("/none", "Directory", "hostPath type check failed: /none is not a directory"),
        ("/none", "File", "hostPath type check failed: /none is not a file"),
        ("/var/log", "File", "hostPath type check failed: /var/log is not a file"),
        ("/etc/hosts", "Directory", "hostPath type check failed: /etc/hosts is not a directory"),
        ("/run/x.sock", "Socket", "hostPath type check failed: /run/x.sock is not a socket file"),
    ],
)
def test_a_host_path_is_what_it_is_said_to_be(tmp_path, path, kind, why):
    with pytest.raises(contents.Unready) as error:
        prepare(RealDisk(), tmp_path, path, kind)
    assert str(error.value) == why


def test_host_paths_are_made_in_the_root_of_the_node(tmp_path):
    disk = RealDisk()
    assert prepare(disk, tmp_path, "/data/x", "DirectoryOrCreate").is_dir()
    assert prepare(disk, tmp_path, "/data/f", "FileOrCreate").is_file()
    assert prepare(disk, tmp_path, "/any", "").is_dir()
    assert prepare(disk, tmp_path, "/var/log", "Directory").is_dir()
    with pytest.raises(contents.Unready, match='path "/disk" does not exist'):
        prepare(disk, tmp_path, "/disk", "", local=True)


@pytest.mark.parametrize("kind", ["", "Directory", "DirectoryOrCreate", "FileOrCreate"])
def test_a_link_in_the_node_leads_nowhere_outside(tmp_path, kind):
    outside = tmp_path / "outside"
    outside.mkdir()
    disk = RealDisk()
    prepare(disk, tmp_path, "/data", "DirectoryOrCreate")
    (tmp_path / "host" / "data" / "l").symlink_to(outside)
    for path in ("/data/l", "/data/l/x/y"):
        with pytest.raises(contents.Unready, match="is a link to nowhere"):
            prepare(disk, tmp_path, path, kind)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "path", "where"),
    [
        ("/data", "/l/x", "/data/x"), ("data", "/l/x", "/data/x"), ("/data/", "/l", "/data"),
        ("../../data", "/l/x", "/data/x"), ("/", "/l/data", "/data"), (".", "/l/data/./", "/data"),
        ("/m", "/l/x", "/data/x"),
    ],
)  # fmt: skip
def test_links_in_the_node_are_followed_as_if_its_root_were_the_machines(
    tmp_path, target, path, where
):
    disk = RealDisk()
    prepare(disk, tmp_path, "/data", "DirectoryOrCreate")
    (tmp_path / "host" / "l").symlink_to(target)
    (tmp_path / "host" / "m").symlink_to("/data")
    prepare(disk, tmp_path, path, "DirectoryOrCreate")
    assert (tmp_path / "host" / where[1:]).is_dir()
    layout = Layout(str(tmp_path / "root"), str(tmp_path / "host"))
    assert hostpaths.resolved(disk, layout, path) == str(tmp_path / "host") + where


def test_links_of_the_node_that_go_round_in_circles(tmp_path):
    disk = RealDisk()
    prepare(disk, tmp_path, "/data", "DirectoryOrCreate")
    host = tmp_path / "host"
    (host / "a").symlink_to("/b")
    (host / "b").symlink_to("a")
    (host / "c0").symlink_to("/data")
    for number in range(1, 30):  # each twice the one before: without a bound, 2^29 steps
        (host / f"c{number}").symlink_to(f"/c{number - 1}/../c{number - 1}")
    for path in ("/a", "/c29"):
        with pytest.raises(contents.Unready, match="too many levels of symbolic links"):
            prepare(disk, tmp_path, path, "DirectoryOrCreate")


def test_which_volumes_of_a_container_are_to_be_in_memory():
    class Keeper:
        disk = RealDisk()

        def volume_path(self, _pod, volume):
            return f"/pods/{volume['name']}"

    empties = {
        "a": {"medium": "Memory", "sizeLimit": "1Mi"}, "b": {"medium": "Memory"},
        "c": {"sizeLimit": "1Mi"}, "d": {"medium": "Memory"},
    }  # fmt: skip
    volumes = [{"name": name, "emptyDir": source} for name, source in empties.items()]
    first = {"name": "x", "volumeMounts": [{"name": name} for name in "abc"]}
    second = {"name": "y", "volumeMounts": [{"name": "d"}]}
    pod = Pod("u", {"spec": {"containers": [first, second], "volumes": volumes}})
    assert mounting.in_memory(Keeper(), pod, first) == {"/pods/a": 1 << 20, "/pods/b": 0}
    assert mounting.in_memory(Keeper(), pod, second) == {"/pods/d": 0}
    assert mounting.in_memory(Keeper(), pod, {"name": "z"}) == {}
