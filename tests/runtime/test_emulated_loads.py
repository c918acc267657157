"""Images that use what they are told to, and those that work and end."""

import asyncio
import hashlib

import pytest
from podworld import Node, on_a_node

from cluster.pb.cri.v1 import api_pb2 as cri
from cluster.runtime.vos.metering import NANO, Meter

MIB = 1 << 20


def limits(memory: int = 0, millis: int = 0) -> dict[str, object]:
    found: dict[str, int] = {"memory_limit_in_bytes": memory * MIB}
    if millis:
        found |= {"cpu_quota": millis * 100, "cpu_period": 100_000}
    return {"resources": found}


async def used(node: Node, cid: str) -> tuple[int, int]:
    """Thousandths of a core, and MiB."""
    request = cri.ListContainerStatsRequest(filter=cri.ContainerStatsFilter(id=cid))
    (one,) = (await node.cri.list_container_stats(request)).stats
    return (
        round(one.cpu.usage_nano_cores.value / 1e6),
        one.memory.working_set_bytes.value // MIB,
    )


@pytest.mark.parametrize(
    ("image", "command", "limit", "millis", "mib"),
    [
        ("polinux/stress", "stress --cpu 2", 0, 2000, 10),
        ("polinux/stress", "stress --cpu 2", 500, 500, 10),
        ("polinux/stress", "sh -c exec~stress~-c~1", 0, 1000, 10),
        ("polinux/stress", "stress --vm 1 --vm-bytes 150M --vm-hang 1", 0, 1, 151),
        ("polinux/stress", "stress -m 2 --vm-bytes 100M", 0, 2000, 201),
        ("alexeiled/stress-ng", "/stress-ng --cpu 4 --cpu-load 25 --timeout 10m", 0, 1000, 10),
        ("alexeiled/stress-ng", "/stress-ng --vm 2 --vm-bytes 1G -t 1h", 0, 2000, 1025),
        ("vish/stress", "/stress -cpus 2", 1000, 1000, 10),
        ("vish/stress", "/stress -mem-total 150Mi -mem-alloc-size 10Mi -mem-alloc-sleep 1s", 0,
         1, 154),
    ],
)  # fmt: skip
def test_a_stress_uses_what_it_is_told(
    image: str, command: str, limit: int, millis: int, mib: int
) -> None:
    async def story(node: Node) -> None:
        argv = [word.replace("~", " ") for word in command.split()]
        cid = await node.run("a", image, *argv, linux=limits(0, limit))
        await asyncio.sleep(60)
        assert await used(node, cid) == (millis, mib)

    on_a_node(story)


@pytest.mark.parametrize(
    ("image", "command"),
    [
        ("polinux/stress", "stress --vm 1 --vm-bytes 250M --vm-hang 1"),
        ("vish/stress", "/stress -mem-total 150Mi -mem-alloc-size 10Mi -mem-alloc-sleep 1s"),
        ("alexeiled/stress-ng", "/stress-ng --vm 1 --vm-bytes 1G"),
    ],
)
def test_more_memory_than_the_limit_ends_with_137(image: str, command: str) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", image, *command.split(), linux=limits(100))
        status = await node.ended(cid)
        assert (status.reason, status.exit_code) == ("OOMKilled", 137)

    on_a_node(story)


@pytest.mark.parametrize(
    ("command", "seconds", "code", "says"),
    [
        ("stress --cpu 1 --timeout 30s", 30, 0,
         "stress: info: [1] successful run completed in 30s"),
        ("stress --cpu 1 -t 2m", 120, 0, "stress: info: [1] successful run completed in 120s"),
        ("stress --cpu two", 0, 1, "stress: FAIL: [1] (244) invalid number: two"),
        ("stress --zork", 0, 1, "stress: FAIL: [1] (244) unrecognized option: --zork"),
    ],
)  # fmt: skip
def test_a_stress_ends_as_it_is_told(command: str, seconds: float, code: int, says: str) -> None:
    async def story(node: Node) -> None:
        begun = asyncio.get_running_loop().time()
        cid = await node.run("a", "polinux/stress", *command.split())
        assert (await node.ended(cid)).exit_code == code
        assert asyncio.get_running_loop().time() - begun == pytest.approx(seconds, abs=0.5)
        assert (await node.said(cid))[-1] == says

    on_a_node(story)


async def post(node: Node, pod: str, path: str, form: str) -> str:
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(form)}\r\n"
    request += f"Connection: close\r\n\r\n{form}"
    outputs = await node.forward(pod, 8080, request.encode())
    return b"".join(one.data for one in outputs).decode()


def test_the_resource_consumer_uses_what_it_is_asked_to_and_no_longer() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "e2e-test-images/resource-consumer")
        assert node.record(cid).machine is None
        said = await post(node, "a", "/ConsumeCPU", "millicores=500&durationSec=60")
        assert said.endswith("ConsumeCPU\n500 millicores\n60 durationSec\n")
        said = await post(node, "a", "/ConsumeMem", "megabytes=100&durationSec=60")
        assert said.endswith("ConsumeMem\n100 megabytes\n60 durationSec\n")
        await post(node, "a", "/ConsumeMem", "megabytes=50&durationSec=30")
        await asyncio.sleep(20)
        millis, mib = await used(node, cid)
        assert (millis, mib) == (pytest.approx(501, abs=20), 160)
        await asyncio.sleep(20)
        assert (await used(node, cid))[1] == 110
        await asyncio.sleep(60)
        assert await used(node, cid) == (1, 10)
        for form in ("", "megabytes=x&durationSec=1", "megabytes=-1&durationSec=1", "&" * 99):
            assert "400 Bad Request" in await post(node, "a", "/ConsumeMem", form)

    on_a_node(story)


def test_the_resource_consumer_is_killed_for_what_it_may_not_have() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "e2e-test-images/resource-consumer", linux=limits(64))
        await post(node, "a", "/ConsumeMem", "megabytes=100&durationSec=60")
        status = await node.ended(cid)
        assert (status.reason, status.exit_code) == ("OOMKilled", 137)

    on_a_node(story)


def test_the_autoscalers_example_works_for_each_request() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "registry.k8s.io/hpa-example")
        assert await used(node, cid) == (1, 10)
        for _ in range(100):
            assert (await node.get("a", 80)).endswith("OK!")
        assert (await used(node, cid))[0] > 200
        await asyncio.sleep(60)
        assert await used(node, cid) == (1, 10)

    on_a_node(story)


MACHIN = "956e8e6713e69bacf4593f3f0c0eaef906228bd45cfde4318b53b01794c37ab6"
"""The digest of the same by Machin's formula."""
PI = {
    1: "3", 2: "3.1", 5: "3.1416", 20: "3.1415926535897932385",
    100: "3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628"
         "034825342117068",
}  # fmt: skip


@pytest.mark.parametrize("digits", sorted(PI))
def test_perl_computes_pi(digits: int) -> None:
    async def story(node: Node) -> None:
        script = f"print bpi({digits})"
        cid = await node.run("a", "perl:5.34.0", "perl", "-Mbignum=bpi", "-wle", script)
        assert (await node.ended(cid)).exit_code == 0
        assert await node.said(cid) == [PI[digits]]

    on_a_node(story)


def test_the_job_of_the_documentation_prints_two_thousand_digits() -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "perl:5.34.0", "perl", "-Mbignum=bpi", "-wle", "print bpi(2000)")
        assert (await node.ended(cid)).exit_code == 0
        (line,) = await node.said(cid)
        assert len(line) == 2001
        assert line.startswith("3.14159265358979323846264338327950288419716939937510582097494459")
        assert hashlib.sha256(line.encode()).hexdigest() == MACHIN

    on_a_node(story)


@pytest.mark.parametrize(
    ("script", "says", "code"),
    [
        ("-e 'print \"hello\\n\"'", "hello", 0),
        ("-E 'say \"hello\"'", "hello", 0),
        ("-e 'system(1)'", "perl: this script is not emulated: only `print bpi(N)` and "
                           "`print \"…\"` are", 2),
        ("run.pl", 'perl: scripts are not emulated: "run.pl" is not run', 2),
        ("-Mbignum=bpi -e 'print bpi(99999)'", "perl: not more than 20000 digits are emulated",
         2),
    ],
)  # fmt: skip
def test_perl_says_what_it_cannot(script: str, says: str, code: int) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", "perl", "sh", "-c", f"perl {script}")
        assert (await node.ended(cid)).exit_code == code
        assert await node.said(cid) == [says]

    on_a_node(story)


@pytest.mark.parametrize(
    ("image", "command", "says"),
    [
        ("hello-world", "", "Hello from kubemu!"),
        ("docker/whalesay", "cowsay boo", "< boo >"),
        ("bitnami/kubectl", "", "kubectl: not emulated: no client of the API runs in an emulated "
                                "container; run kubectl on your machine"),
    ],
)  # fmt: skip
def test_small_images_say_something_and_end(image: str, command: str, says: str) -> None:
    async def story(node: Node) -> None:
        cid = await node.run("a", image, *command.split())
        await node.ended(cid)
        assert says in await node.said(cid)

    on_a_node(story)


def test_work_is_counted_while_it_is_done() -> None:
    meter = Meter()
    assert meter.work(100.0, 3.0, 0.5) == 6.0
    assert meter.work(100.0, 1.0, 0.5) == 8.0
    meter.spend(100.0, 30.0, 0.25)
    assert meter.read(100.0) == (0, 0)
    assert meter.read(104.0) == (round(3 / 15 * NANO), 3 * NANO)
    assert meter.read(108.0) == (round(6 / 15 * NANO), 6 * NANO)
    assert meter.read(123.0) == (NANO // 4, round(9.75 * NANO))
    assert meter.read(1000.0) == (0, round(11.5 * NANO))
    assert meter.backlog(104.0) == 4.0


def test_much_work_takes_little_room() -> None:
    meter = Meter()
    last = 0
    for at in range(20_000):
        meter.work(at / 100, 0.001, 1.0)
        if at % 100 < 50:
            last, before = meter.read(at / 100 + 0.0005)[1], last
            assert last >= before
    rate, total = meter.read(200.0)
    assert total == pytest.approx(20 * NANO)
    assert rate == pytest.approx(NANO / 10, rel=0.01)
    assert len(meter._spans) < 300
