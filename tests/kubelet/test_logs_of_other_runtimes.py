"""Logs that a runtime of others writes: read over their turns, turned over, and removed."""

import asyncio
import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.aio import clock, rpc, virtual
from cluster.kubelet.foreign import following, logfiles
from cluster.kubelet.foreign.adapter import Foreign
from cluster.kubelet.foreign.logfiles import LogFiles, Part
from cluster.kubelet.foreign.rotation import PERIOD, Plan, Rotation, plan
from cluster.kubelet.serving import logreading, logtext
from cluster.pb.cluster.v1 import kubelet_pb2 as asked
from cluster.pb.cluster.v1 import streaming_pb2
from cluster.pb.cri.v1 import api_pb2 as pb

EPOCH = 1_767_225_600.0


def line(number: int, text: str = "", tag: str = "F", stream: str = "stdout") -> bytes:
    return f"2026-01-01T00:00:{number:02d}.5Z {stream} {tag} {text or number}\n".encode()


def lines(*numbers: int) -> bytes:
    return b"".join(line(number) for number in numbers)


class Containers:
    """The calls of CRI that the logs need, over files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "default_web_u" / "main" / "0.log"
        self.path.parent.mkdir(parents=True)
        self.state = pb.CONTAINER_RUNNING
        self.reopened = 0
        self.broken = False
        self.gone: set[str] = set()

    def write(self, *numbers: int) -> None:
        with self.path.open("ab") as file:
            file.write(lines(*numbers))

    def turn_over(self, name: str) -> None:
        self.path.rename(self.path.with_name(f"0.log.{name}"))
        self.path.touch()

    def names(self) -> list[str]:
        return sorted(each.name for each in self.path.parent.iterdir())

    async def container_status(self, request):
        if request.container_id in self.gone:
            raise rpc.Failure("NOT_FOUND", "no such container")
        status = pb.ContainerStatus(log_path=str(self.path), state=self.state)
        return pb.ContainerStatusResponse(status=status)

    async def list_containers(self, request):
        wanted = request.filter.state.state
        ids = ["c-1"] if wanted == self.state or request.filter.pod_sandbox_id else []
        ids += sorted(self.gone)
        return pb.ListContainersResponse(containers=[pb.Container(id=one) for one in ids])

    async def reopen_container_log(self, request):
        if self.broken:
            raise rpc.Failure("UNKNOWN", "it will not")
        self.reopened += 1
        self.path.touch()
        return pb.ReopenContainerLogResponse()


@pytest.fixture
def containers(tmp_path: Path) -> Containers:
    return Containers(tmp_path)


def shown(containers, wanted=None, **fields) -> bytes:
    """What `kubectl logs` with these options shows."""

    class Cri:
        read_log = Foreign(containers).read_log

    async def main():
        request = asked.LogsRequest(**fields)
        parts = logreading.read(Cri(), "c-1", request, wanted or logtext.Wanted())
        return b"".join([part async for part in parts])

    return virtual.run(main())


def test_a_log_that_is_not_there_yet_is_empty(tmp_path):
    assert LogFiles().read(str(tmp_path / "none" / "0.log"), 0, 10) == Part(b"", 0, 0, 0)


def test_places_count_from_the_first_byte_over_turns(containers):
    logs, path = LogFiles(), str(containers.path)
    containers.write(1, 2)
    size = len(lines(1))
    assert logs.read(path, size, 1000) == Part(lines(2), size, 0, 2 * size)
    containers.write(3)
    containers.turn_over("20260101-000000")
    containers.write(4)
    assert logs.read(path, 2 * size, 1000) == Part(lines(3), 2 * size, 0, 4 * size)
    assert logs.read(path, 3 * size, 1000) == Part(lines(4), 3 * size, 0, 4 * size)
    assert logs.read(path, -size, 1000).data == lines(4)
    assert logs.read(path, 10**9, 1000) == Part(b"", 4 * size, 0, 4 * size)


def test_what_was_packed_before_it_was_read_is_passed_over(containers):
    logs, path = LogFiles(), str(containers.path)
    containers.write(1)
    logs.read(path, 0, 10)
    containers.turn_over("old")
    logs.read(path, 0, 10)
    (containers.path.parent / "0.log.old").unlink()
    containers.write(2)
    size = len(lines(1))
    assert logs.read(path, 0, 1000) == Part(lines(2), size, 0, 2 * size)


def test_a_log_that_was_emptied_in_place_goes_on(containers):
    logs, path = LogFiles(), str(containers.path)
    containers.write(1, 2)
    size = len(lines(1))
    logs.read(path, 0, 1000)
    containers.path.write_bytes(b"")
    containers.write(3)
    assert logs.read(path, 2 * size, 1000) == Part(lines(3), 2 * size, 2 * size, 3 * size)


@given(st.lists(st.sampled_from(["write", "turn", "read"]), max_size=40), st.integers(1, 100))
def test_a_reader_that_keeps_up_misses_nothing(steps, limit):
    with tempfile.TemporaryDirectory() as folder:
        containers = Containers(Path(folder))
        containers.path.touch()
        logs, path, said, heard, behind = LogFiles(), str(containers.path), b"", b"", 0
        logs.read(path, 0, 1)
        for number, step in enumerate([*steps, "read"]):
            if step == "write":
                said += lines(number)
                containers.write(number)
            elif step == "turn":
                containers.turn_over(f"{number:04}")
                logs.read(path, len(heard), 1)  # no two turns without a look
                behind += 1
            if step == "read" or behind == 6:
                behind = 0
                while (part := logs.read(path, len(heard), limit)).data:
                    assert part.offset == len(heard)
                    heard += part.data
        assert heard == said


CASES = [
    ({}, logtext.Wanted(), b"1\n2\n3\n"),
    ({"tail_lines": 2}, logtext.Wanted(), b"2\n3\n"),
    ({"tail_lines": 0}, logtext.Wanted(), b""),
    ({"tail_lines": 9}, logtext.Wanted(), b"1\n2\n3\n"),
    ({"limit_bytes": 3}, logtext.Wanted(), b"1\n2"),
    ({}, logtext.Wanted(since=b"2026-01-01T00:00:02"), b"2\n3\n"),
    ({"tail_lines": 1}, logtext.Wanted(timestamps=True), b"2026-01-01T00:00:03.5Z 3\n"),
]


@pytest.mark.parametrize(("fields", "wanted", "said"), CASES)
def test_kubectl_logs_reads_the_file(containers, fields, wanted, said):
    containers.write(1, 2, 3)
    assert shown(containers, wanted, **fields) == said


def test_pieces_of_a_line_are_joined_and_an_unfinished_one_waits(containers):
    half = line(4, "never told").removesuffix(b"\n")
    whole = [line(1, "a", "P"), line(2, "b", "P"), line(3, "c"), line(3, "e", stream="stderr")]
    containers.path.write_bytes(b"".join([*whole, half]))
    assert shown(containers) == b"abc\ne\n"
    assert shown(containers, logtext.Wanted(stream=b"stderr")) == b"e\n"
    times = logtext.Wanted(timestamps=True)
    assert shown(containers, times).startswith(b"2026-01-01T00:00:01.5Z abc\n")


def test_following_goes_over_a_turn_and_ends_with_the_container(containers):
    class Cri:
        read_log = Foreign(containers).read_log

    async def main():
        loop = asyncio.get_running_loop()

        def end():
            containers.write(5)
            containers.state = pb.CONTAINER_EXITED

        containers.write(1)
        loop.call_later(1, containers.write, 2)
        loop.call_later(2, lambda: (containers.write(3), containers.turn_over("20260101-000000")))
        loop.call_later(2.1, containers.write, 4)
        loop.call_later(5, end)
        request = asked.LogsRequest(follow=True)
        parts = logreading.read(Cri(), "c-1", request, logtext.Wanted())
        said = b"".join([part async for part in parts])
        return said, loop.time()

    said, ended = virtual.run(main())
    assert said == b"1\n2\n3\n4\n5\n"
    assert 5 <= ended <= 6


@pytest.mark.parametrize("slow", [0.0, 9.0])
def test_a_log_that_is_removed_with_its_container_is_read_to_its_end(containers, slow):
    foreign = Foreign(containers)

    class Cri:
        read_log = foreign.read_log

    async def main():
        containers.write(1)

        async def remove():
            containers.write(3)
            known = await foreign.status("c-1")
            known.id = "c-1"
            foreign.removing(known)
            containers.write(4)
            containers.gone.add("c-1")
            foreign.remove_files(known)
            assert not containers.path.exists()
            assert not containers.path.parent.exists()

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            loop = asyncio.get_running_loop()
            loop.call_later(1, lambda: (containers.write(2), containers.turn_over("a")))
            loop.call_later(5, lambda: group.create_task(remove()))
            request, found = asked.LogsRequest(follow=True), b""
            async for part in logreading.read(Cri(), "c-1", request, logtext.Wanted()):
                found += part
                await asyncio.sleep(slow)
        await asyncio.sleep(following.LINGER + 1)
        with pytest.raises(rpc.Failure):
            await foreign.read_log(streaming_pb2.ReadLogRequest(container_id="c-1"))
        return found

    before = len(list(Path("/proc/self/fd").iterdir()))
    assert virtual.run(main()) == b"1\n2\n3\n4\n"
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_files_of_who_is_not_followed_are_not_held(containers):
    foreign = Foreign(containers)

    async def main():
        containers.write(1)
        asked_once = streaming_pb2.ReadLogRequest(container_id="c-1")
        assert (await foreign.read_log(asked_once)).data == lines(1)
        known = await foreign.status("c-1")
        known.id = "c-1"
        foreign.removing(known)
        containers.gone.add("c-1")
        foreign.remove_files(known)
        with pytest.raises(rpc.Failure):
            await foreign.read_log(asked_once)

    virtual.run(main())


def test_the_log_of_a_container_that_is_gone_says_so(containers):
    containers.gone.add("c-1")
    assert shown(containers) == b"unable to retrieve container logs for c-1"


def test_the_last_words_are_read_with_the_end(containers):
    containers.write(1)
    containers.state = pb.CONTAINER_EXITED

    async def main():
        request = streaming_pb2.ReadLogRequest(container_id="c-1", offset=0, limit=0)
        return await Foreign(containers).read_log(request)

    answer = virtual.run(main())
    assert (answer.data, answer.end, answer.ended) == (lines(1), len(lines(1)), True)


PLANS = [
    ((), 5, Plan((), ())),
    (("0.log.1",), 5, Plan((), ("0.log.1",))),
    (("0.log.1.gz", "0.log.2"), 5, Plan((), ("0.log.2",))),
    (("0.log.1.gz", "0.log.2.gz", "0.log.3.gz", "0.log.4"), 5, Plan(("0.log.1.gz",), ("0.log.4",))),
    (("0.log.1", "0.log.2"), 2, Plan(("0.log.1", "0.log.2"), ())),
    # Of a packing that was cut off: the half-packed one, and one that was packed and not removed.
    (("0.log.1", "0.log.1.gz.tmp"), 5, Plan(("0.log.1.gz.tmp",), ("0.log.1",))),
    (("0.log.1", "0.log.1.gz"), 5, Plan(("0.log.1",), ())),
]


@pytest.mark.parametrize(("names", "files", "wanted"), PLANS)
def test_what_becomes_of_turned_logs(names, files, wanted):
    assert plan(names, files) == wanted


def rotated(containers, looks: int, *, size: int = 60, files: int = 3) -> None:
    """Look so often, ten seconds apart; two lines are written before each."""

    async def main():
        now = clock.LoopClock(asyncio.get_running_loop(), EPOCH)
        rotation = Rotation(containers, now, size=size, files=files)
        for number in range(looks):
            containers.write(2 * number, 2 * number + 1)
            await asyncio.sleep(PERIOD)
            await rotation.look()

    virtual.run(main())


def test_full_logs_are_renamed_after_the_time_and_older_ones_packed(containers):
    rotated(containers, 2)
    assert containers.names() == ["0.log", "0.log.20260101-000010.gz", "0.log.20260101-000020"]
    packed, plain = (containers.path.parent / name for name in containers.names()[1:])
    assert gzip.decompress(packed.read_bytes()) == lines(0, 1)
    assert plain.read_bytes() == lines(2, 3)
    assert containers.reopened == 2
    rotated_again = Rotation(containers, clock.SystemClock(), size=60, files=3)
    virtual.run(rotated_again.look())
    assert containers.reopened == 2, "the new one is not full"


def test_no_more_files_are_kept_than_asked_for(containers):
    rotated(containers, 6)
    assert containers.names() == ["0.log", "0.log.20260101-000050.gz", "0.log.20260101-000100"]


def test_a_log_below_its_size_stays(containers):
    rotated(containers, 1, size=10_000)
    assert containers.names() == ["0.log"]
    assert containers.reopened == 0


def test_a_log_that_cannot_be_opened_anew_keeps_its_name(containers):
    containers.broken = True
    with pytest.raises(rpc.Failure, match="it will not"):
        rotated(containers, 1)
    assert containers.names() == ["0.log"]
    assert containers.path.read_bytes() == lines(0, 1)


def test_a_turn_that_was_cut_off_is_finished(containers):
    containers.write(1)
    containers.path.rename(containers.path.with_name("0.log.20260101-000000"))
    virtual.run(Rotation(containers, clock.SystemClock(), size=60, files=3).look())
    assert containers.reopened == 1
    assert containers.names() == ["0.log", "0.log.20260101-000000"]


def test_a_container_that_goes_meanwhile_does_not_matter(containers):
    containers.gone.add("c-0")
    rotated(containers, 1)
    assert containers.reopened == 1


def test_a_removed_container_takes_its_logs_and_empty_folders_along(containers, tmp_path):
    containers.write(1)
    containers.turn_over("20260101-000000")
    sibling = containers.path.with_name("1.log")
    sibling.touch()
    logfiles.remove(str(containers.path))
    assert containers.names() == ["1.log"]
    logfiles.remove(str(sibling))
    assert list(tmp_path.iterdir()) == []
    logfiles.remove(str(sibling))


def test_the_folder_of_a_log_is_made(tmp_path):
    def request(folder: Path) -> pb.CreateContainerRequest:
        return pb.CreateContainerRequest(
            sandbox_config=pb.PodSandboxConfig(log_directory=str(folder)),
            config=pb.ContainerConfig(
                metadata=pb.ContainerMetadata(name="main"), log_path="main/0.log"
            ),
        )

    Foreign(None).prepared(request(tmp_path / "logs"))
    assert (tmp_path / "logs" / "main").is_dir()
    (tmp_path / "file").touch()
    wanted = 'create container log directory for container "main" failed'
    with pytest.raises(rpc.Failure, match=wanted):
        Foreign(None).prepared(request(tmp_path / "file"))


def test_what_only_kubemu_asks_for_is_left_out():
    resources = pb.LinuxContainerResources(cpu_shares=5, unified={"memory.min": "1", "x": "y"})
    asked = pb.CreateContainerRequest(
        config=pb.ContainerConfig(linux=pb.LinuxContainerConfig(resources=resources))
    )
    made = Foreign(None).prepared(asked).config.linux.resources
    again = Foreign(None).resized(pb.UpdateContainerResourcesRequest(linux=resources)).linux
    assert made == again == pb.LinuxContainerResources(cpu_shares=5, unified={"x": "y"})
    assert "memory.min" in asked.config.linux.resources.unified


def test_parts_of_the_machine_are_hidden_from_who_has_no_privileges():
    def hidden(**context) -> list[str]:
        linux = pb.LinuxContainerConfig(
            security_context=pb.LinuxContainerSecurityContext(**context)
        )
        config = pb.ContainerConfig(linux=linux)
        made = Foreign(None).prepared(pb.CreateContainerRequest(config=config))
        found = made.config.linux.security_context
        return [*found.masked_paths, *found.readonly_paths]

    assert {"/proc/kcore", "/proc/sys"} < set(hidden())
    assert hidden(privileged=True) == []
    assert hidden(masked_paths=["/proc/x"]) == ["/proc/x"]


def test_files_that_cannot_be_removed_are_a_failed_call(containers, monkeypatch):
    def refusing(path):
        raise PermissionError(1, "Operation not permitted", path)

    monkeypatch.setattr("cluster.kubelet.foreign.logfiles.remove", refusing)

    async def main():
        foreign = Foreign(containers)
        known = await foreign.status("c")
        with pytest.raises(rpc.Failure, match="Operation not permitted"):
            foreign.remove_files(known)

    virtual.run(main())
