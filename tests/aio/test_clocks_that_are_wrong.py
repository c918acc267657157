"""A clock that is wrong by what a file says."""

import stat
from pathlib import Path

import pytest

from cluster.aio import clock


class Still:
    def now(self) -> float:
        return 1000.0


def test_it_is_wrong_by_what_the_file_says_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    skewed = clock.SkewedClock(Still(), path)
    assert skewed.now() == 1000.0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open("r+b") as file:
        file.write(clock.OFFSET.pack(-300.5))
    assert skewed.now() == 699.5
    assert clock.SkewedClock(Still(), path).now() == 699.5


def test_a_file_of_another_size_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_text("five minutes")
    assert clock.SkewedClock(Still(), path).now() == 1000.0


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        clock.SkewedClock(Still(), tmp_path / "none" / "clock")
