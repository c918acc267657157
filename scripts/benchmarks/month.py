"""Thirty virtual days of a hundred hourly CronJobs on three nodes, in the lab: all of them."""

from collections.abc import Iterator

from benchmarks import cronjobs
from benchmarks.figures import Figure, Outcome

DAYS = 30


def measure() -> Iterator[Outcome]:
    """All thirty days. It takes minutes; the group `lab` tells what they would take by a day."""
    ran = cronjobs.run(hours=24 * DAYS)
    yield Figure(cronjobs.TITLE, ran.seconds, "s", cronjobs.TARGET, True, ran.note)
