"""Logs: JSON lines in files, lines for people on terminals."""

import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from cluster.cli import logformat, loglines


class At:
    def now(self) -> float:
        return 1_795_230_000.25


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(format: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logformat.configure("kubelet", At(), format=format, level=level, stream=stream)
    return stream


def test_json_lines_begin_with_time_level_component_and_event() -> None:
    stream = logged("auto")
    structlog.get_logger().info("pod started", pod="default/wéb", count=2)
    assert stream.getvalue() == (
        '{"time": "2026-11-21T03:00:00.250000Z", "level": "info", "component": "kubelet", '
        '"event": "pod started", "pod": "default/wéb", "count": 2}\n'
    )


def test_a_failure_is_one_json_line_with_its_traceback() -> None:
    stream = logged("json")
    try:
        raise RuntimeError("no")
    except RuntimeError:
        structlog.get_logger().exception("broken")
    (line,) = stream.getvalue().splitlines()
    assert "RuntimeError: no" in json.loads(line)["exception"]


def test_people_get_lines() -> None:
    stream = logged("console")
    structlog.get_logger().bind(component="proxy").warning("slow", pod="default/web", why="a b")
    assert stream.getvalue() == '03:00:00.250 warning proxy slow pod=default/web why="a b"\n'


def test_less_than_the_level_is_left_out() -> None:
    stream = logged("json", level="warning")
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_libraries_log_the_same_way() -> None:
    stream = logged("json")
    logging.getLogger("aiohttp.server").warning("strange request from %s", "somewhere")
    event = json.loads(stream.getvalue())
    assert (event["event"], event["logger"]) == ("strange request from somewhere", "aiohttp.server")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '{"time": "T", "level": "info", "component": "c", "event": "e", "n": 1}',
            "T info    c e n=1",
        ),
        ("Traceback (most recent call last):\n", "Traceback (most recent call last):"),
        ("[1]\n", "[1]"),
        ('{"event": "e", "exception": "Trace\\nError"}', "        e\nTrace\nError"),
    ],
)
def test_lines_of_files_are_shown_to_people(line: str, shown: str) -> None:
    assert loglines.from_json(line, colours=False).strip() == shown.strip()


class Full(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        self.write("")


def test_a_log_on_a_full_disk_ends_nobody() -> None:
    logformat.configure("kubelet", At(), stream=Full())
    structlog.get_logger().info("pod started")
    logging.getLogger("asyncio").error("and by the standard library")
