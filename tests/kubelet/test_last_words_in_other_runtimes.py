"""What containers of other runtimes say when they end: by a file, or by their logs."""

from pathlib import Path

import pytest

from cluster.kubelet.foreign import endings
from cluster.pb.cri.v1 import api_pb2 as pb

PATH = "io.kubernetes.container.terminationMessagePath"
POLICY = "io.kubernetes.container.terminationMessagePolicy"


def request(*mounts: pb.Mount, **annotations: str) -> pb.CreateContainerRequest:
    return pb.CreateContainerRequest(
        sandbox_config=pb.PodSandboxConfig(metadata=pb.PodSandboxMetadata(uid="u-1")),
        config=pb.ContainerConfig(
            metadata=pb.ContainerMetadata(name="main", attempt=2),
            mounts=mounts, annotations=annotations,
        ),
    )  # fmt: skip


def mounted(root: Path, asked: pb.CreateContainerRequest) -> pb.CreateContainerRequest:
    endings.mount(str(root), asked)
    return asked


def ended(made: pb.CreateContainerRequest, **fields) -> pb.ContainerStatus:
    return pb.ContainerStatus(
        state=pb.CONTAINER_EXITED, mounts=made.config.mounts,
        annotations=made.config.annotations, **fields,
    )  # fmt: skip


def said(root: Path, status: pb.ContainerStatus) -> str:
    endings.tell(str(root), status)
    return str(status.message)


def test_a_file_is_mounted_whose_words_are_told(tmp_path):
    made = mounted(tmp_path, request())
    (mount,) = made.config.mounts
    file = tmp_path / "pods" / "u-1" / "containers" / "main" / "2.message"
    assert (mount.container_path, mount.host_path) == ("/dev/termination-log", str(file))
    assert file.stat().st_mode & 0o777 == 0o666
    file.write_text("all is lost")
    assert said(tmp_path, ended(made)) == "all is lost"
    assert said(tmp_path, ended(made, message="OOM")) == "OOM: all is lost"
    running = ended(made)
    running.state = pb.CONTAINER_RUNNING
    assert said(tmp_path, running) == ""
    assert endings.file_of(str(tmp_path), ended(made)) == str(file)


def test_only_the_end_of_a_long_message_is_told(tmp_path):
    made = mounted(tmp_path, request(**{PATH: "/tmp/why"}))
    (mount,) = made.config.mounts
    assert mount.container_path == "/tmp/why"
    Path(mount.host_path).write_bytes(b"a" * 9000 + b"\xffz")
    assert said(tmp_path, ended(made)) == "a" * 4094 + "\ufffdz"


def test_a_volume_at_that_path_is_not_read(tmp_path):
    file = tmp_path / "pods" / "u-1" / "volumes" / "kubernetes.io~empty-dir" / "v" / "why"
    file.parent.mkdir(parents=True)
    file.write_text("secret")
    made = mounted(
        tmp_path, request(pb.Mount(container_path="/dev/termination-log", host_path=str(file)))
    )
    assert len(made.config.mounts) == 1
    assert said(tmp_path, ended(made)) == ""
    assert endings.file_of(str(tmp_path), ended(made)) == ""


LOG = b"".join(b"2026-01-01T00:00:00.5Z stderr F line %d\n" % number for number in range(200))
WORDS = [
    ({POLICY: "FallbackToLogsOnError"}, 1, "".join(f"line {n}\n" for n in range(120, 200))),
    ({POLICY: "FallbackToLogsOnError"}, 0, ""),
    ({}, 1, ""),
]


@pytest.mark.parametrize(("annotations", "code", "wanted"), WORDS)
def test_the_end_of_the_log_stands_in_where_asked_for(tmp_path, annotations, code, wanted):
    (tmp_path / "0.log").write_bytes(LOG)
    made = mounted(tmp_path, request(**annotations))
    status = ended(made, exit_code=code, log_path=str(tmp_path / "0.log"))
    assert said(tmp_path, status) == wanted


def test_a_pod_whose_folder_is_gone_said_nothing(tmp_path):
    made = mounted(tmp_path, request())
    Path(made.config.mounts[0].host_path).unlink()
    assert said(tmp_path, ended(made)) == ""
