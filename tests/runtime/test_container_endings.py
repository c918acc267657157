"""Last words, memory that runs out, and signals."""

import math

import pytest

from cluster.api import curves
from cluster.pb.cri.v1 import api_pb2 as pb
from cluster.runtime import endings

LOG = b"".join(
    b"2026-01-01T00:00:00.000000000Z stderr F line %d\n" % number for number in range(200)
)
FALLBACK = {endings.MESSAGE_POLICY: "FallbackToLogsOnError"}


@pytest.mark.parametrize(
    ("annotations", "written", "code", "said"),
    [
        ({}, b"done\n", 0, "done\n"),
        ({}, b"", 1, ""),
        (FALLBACK, b"", 0, ""),
        (FALLBACK, b"why", 1, "why"),
        ({}, b"x" * 9000, 1, "x" * 4096),
    ],
)
def test_what_is_written_is_the_message(annotations, written, code, said):
    assert endings.message(annotations, written, LOG, code) == said


def test_a_failed_container_may_be_told_of_by_its_log():
    said = endings.message(FALLBACK, b"", LOG, 2)
    lines = said.splitlines()
    assert lines[-1] == "line 199"
    assert len(lines) == 80
    long = b"2026-01-01T00:00:00.0Z stdout F " + b"y" * 5000 + b"\n"
    assert len(endings.message(FALLBACK, b"", long, 2)) == 2048


@pytest.mark.parametrize(
    ("curve", "limit", "at"),
    [
        ("64Mi", 128 << 20, math.inf),
        ("256Mi", 128 << 20, 0.0),
        ("0s=0,100s=200Mi", 100 << 20, 50.0),
        ("0s=10Mi,10s=20Mi,20s=40Mi,30s=1Mi", 30 << 20, 15.0),
        ("0s=10Mi,10s=20Mi,repeat", 30 << 20, math.inf),
        ("256Mi", 0, math.inf),
    ],
)
def test_memory_runs_out_where_the_curve_passes_the_limit(curve, limit, at):
    found = endings.out_of_memory(
        curves.parse(curve), pb.LinuxContainerResources(memory_limit_in_bytes=limit)
    )
    assert found == pytest.approx(at)


@pytest.mark.parametrize(("name", "number"), [("", 15), ("SIGUSR1", 10), ("SIGQUIT", 3), ("?", 15)])
def test_a_container_is_asked_by_the_signal_it_wants(name, number):
    assert endings.stop_signal({endings.STOP_SIGNAL: name} if name else {}) == number
