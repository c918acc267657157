"""What is told of a soak, and its exit code: pure."""

from collections.abc import Iterator

from soaking.record import Record

WARM_UP_MINUTES = 9.0
"""Until all that is bounded has reached its bound, at 50 pods a second."""
_ROW = "{:24}{:>16}{:>8}{:>16}{:>16}{:>14}{:>14}"


def progress(record: Record) -> str:
    """What has happened until now, in a line."""
    at, alive = record.alive[-1]
    sizes = " ".join(f"{name}={found[-1].pss / 1e6:.0f}" for name, found in record.samples.items())
    return f"{at / 60:5.1f} min: {_counts(record)}, alive {alive}; MB: {sizes}"


def lines(record: Record) -> Iterator[str]:
    """The table of processes, the rates, and what is wrong."""
    yield _ROW.format("PROCESS", "PSS MB", "GROWTH", "PRIVATE MB", "RSS MB", "DESCRIPTORS", "TASKS")
    for each in record.verdicts():
        yield _ROW.format(
            each.name, _pair(each.pss), f"{each.growth:.1%}", _pair(each.private),
            _pair(each.rss), _pair(each.descriptors, 1, 0),
            "-" if each.tasks is None else _pair(each.tasks, 1, 0),
        )  # fmt: skip
    created, deleted = record.rates()
    counts = _counts(record)
    yield f"{created:.1f} pods created and {deleted:.1f} deleted a second; {counts}"
    if (alive := record.quarters()) is not None:
        yield "{:.0f} pods were alive in the first quarter, {:.0f} in the last".format(*alive)
    if not record.memory:
        yield (
            f"NOT JUDGED memory: its bounds are reached after {WARM_UP_MINUTES:g} minutes "
            f"(give --minutes {2 * WARM_UP_MINUTES:g}, or a --warm-up)"
        )
    yield from (f"FAULT {fault}" for fault in record.faults())
    if record.missed():
        yield f"MISSED the rate of {record.rate:g} pods a second was not held"


def code(record: Record) -> int:
    """1 where a process is at fault, 2 where the rate was not held, else 0."""
    if record.faults():
        return 1
    return 2 if record.missed() else 0


def _counts(record: Record) -> str:
    return ", ".join(f"{what} {count}" for what, count in record.counts.items())


def _pair(values: tuple[float, float], unit: float = 1e6, digits: int = 1) -> str:
    return " → ".join(f"{value / unit:.{digits}f}" for value in values)
