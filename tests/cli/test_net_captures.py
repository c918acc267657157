"""How `kubemu net capture` begins and ends."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from cluster.cli.commands.net import common
from cluster.cli.commands.net.capture import capture


@pytest.fixture
def interrupts() -> Iterator[None]:
    """What an interrupt does is as before in the end."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_file_without_a_name_is_refused() -> None:
    found = CliRunner().invoke(capture, ["node-1", "-w", ""])
    assert found.exit_code == 2
    assert "that is no file" in found.output


def test_an_interrupt_ends_it_in_the_background_of_a_script_too(
    monkeypatch: pytest.MonkeyPatch, interrupts: None
) -> None:
    ended: list[str] = []

    def run(_name: str, _story: Any) -> None:
        async def main() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        asyncio.run(main())

    monkeypatch.setattr(common, "run", run)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    found = CliRunner().invoke(capture, ["node-1"])
    assert (found.exit_code, ended) == (0, ["cancelled"])
