#!/usr/bin/env python3
"""Lets pods come and go for long, and looks whether any process of the cluster grows.

A cluster of its own is started, in a folder that is removed afterwards: three nodes with processes
and three hollow ones. Pods are made and deleted at the rate that --rate says, by themselves, by
Jobs, and by Deployments that grow and shrink behind Services; now and then a command is run in one
of them, which asks a Service. Every few seconds memory (PSS, private, RSS), descriptors, threads
and asyncio tasks of each process are written down.

What a process keeps on purpose has bounds, and has reached them after the warm-up: the history of
the API server (five minutes, or 32,768 revisions), what watches go on from (six minutes, or 8,192
changes), events (an hour; two minutes in the cluster of its own), queues; and the memory that the
most pods need that there may be at a time: in the warm-up they pile up to that three times.

Of what is measured after that, the last quarter is held against the first, by medians. The exit
code is 1 where the memory (PSS) of a process grew by more than 5%, where its descriptors or tasks
grew by more than 5% and ten, or where it died; and 2 where the pods could not be made at nine
tenths of the rate at least. Memory is not judged in a run that is too short for a warm-up of nine
minutes, unless --warm-up says when to begin.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

import installed

installed.here()
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import yaml  # noqa: E402

from benchmarks.clusters import Cluster  # noqa: E402
from soaking import churn, sampling, verdict  # noqa: E402

_SAMPLE_SECONDS = 5.0
_TOLD_SECONDS = 60.0
_WARM_UP_MINUTES = 9.0
"""Until all that is bounded has reached its bound, at 50 pods a second."""
_PEAKS = (0.3, 0.5, 0.7)
"""When pods pile up, as shares of the warm-up."""
_CLUSTER = {
    "apiVersion": "kubemu.dev/v1alpha1",
    "kind": "Cluster",
    "nodes": [{"count": 3, "pods": 250, "cpu": 64, "memory": "256Gi"}],
    "hollow": [{"count": 3, "pods": 250, "cpu": 64, "memory": "256Gi"}],
    # Six hours are compressed: an hour of events is two minutes here.
    "flags": {"apiserver": {"event-ttl": "2m"}},
}


def main() -> int:
    """Soak; 0 where nothing grew."""
    given = _arguments()
    # The cluster ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        file = given.cluster
        if file is None:
            file = Path(folder) / "cluster.yaml"
            file.write_text(yaml.safe_dump(_CLUSTER))
        with Cluster("--name", "kubemu", "-f", str(file.absolute())) as cluster:
            soak = _Soak(cluster, given)
            asyncio.run(soak.run())
    code = soak.report()
    if given.json:
        given.json.write_text(json.dumps(soak.document(), indent=2) + "\n")
    return code


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="how long pods come and go (default: 20)"
    )
    parser.add_argument(
        "--rate", type=float, default=50.0,
        help="pods a second that are made, and as many deleted (default: 50)",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up", type=float, metavar="MINUTES",
        help="how much of that is not judged (default: 9, and at most half)",
    )  # fmt: skip
    parser.add_argument(
        "--cluster", type=Path, metavar="FILE",
        help="cluster file of the cluster to start (default: three nodes and three hollow ones)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all samples here")
    given = parser.parse_args()
    if given.minutes <= 0 or given.rate <= 0:
        parser.error("--minutes and --rate are more than 0")
    given.memory = given.warm_up is not None or given.minutes >= 2 * _WARM_UP_MINUTES
    if given.warm_up is None:
        given.warm_up = min(_WARM_UP_MINUTES, given.minutes / 2)
    if not 0 <= given.warm_up < given.minutes:
        parser.error("--warm-up is less than --minutes")
    return given


class _Soak:
    def __init__(self, cluster: Cluster, given: argparse.Namespace) -> None:
        self._given = given
        self._churn = churn.Churn(cluster.url, cluster.tls, given.rate)
        self._sampler = sampling.Sampler(Path(cluster.kubeconfig).parent)
        self._samples: dict[str, list[sampling.Sample]] = {}
        self._alive: list[tuple[float, int]] = []
        self._begin = self._judged_from = 0.0
        self._counts_then: dict[str, int] = {}

    async def run(self) -> None:
        """Churn and sample, side by side."""
        watching = asyncio.create_task(self._watch())
        try:
            warm_up = self._given.warm_up * 60
            peaks = [warm_up * share for share in _PEAKS]
            await self._churn.run(self._given.minutes * 60, peaks)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        self._begin = loop.time()
        told = 0.0
        while True:
            self._sampler.ask()
            await asyncio.sleep(_SAMPLE_SECONDS)
            at = loop.time() - self._begin
            self._alive.append((at, self._churn.alive))
            for name, sample in self._sampler.take(at).items():
                self._samples.setdefault(name, []).append(sample)
            if at >= self._given.warm_up * 60 and not self._judged_from:
                self._judged_from = at
                self._counts_then = dict(self._churn.counts)
            if at - told >= _TOLD_SECONDS:
                told = at
                self._tell(at)

    def _tell(self, at: float) -> None:
        sizes = " ".join(
            f"{name}={samples[-1].pss / 1e6:.0f}" for name, samples in self._samples.items()
        )
        counts = " ".join(f"{what} {count}" for what, count in self._churn.counts.items())
        print(f"{at / 60:5.1f} min: {counts}, alive {self._churn.alive}; MB: {sizes}", flush=True)

    def rates(self) -> tuple[float, float]:
        """Pods that were created and deleted a second, after the warm-up."""
        ends = [samples[-1].at for samples in self._samples.values()]
        seconds = max(ends, default=0.0) - self._judged_from
        counts, then = self._churn.counts, self._counts_then
        created, deleted = (
            (counts[what] - then.get(what, 0)) / max(seconds, 1) for what in ("created", "deleted")
        )
        return created, deleted

    def alive(self) -> tuple[float, float] | None:
        """How many pods there were in the first and the last quarter, by medians."""
        counts = [count for at, count in self._alive if at >= self._judged_from]
        quarter = len(counts) // 4
        return (median(counts[:quarter]), median(counts[-quarter:])) if quarter else None

    def verdicts(self) -> list[verdict.Verdict]:
        """Of each process, from what came after the warm-up."""
        found = []
        for name, samples in self._samples.items():
            judged = verdict.judge(name, [s for s in samples if s.at >= self._judged_from])
            if judged is not None:
                found.append(judged)
        return found

    def report(self) -> int:
        """Print the table; the exit code."""
        row = "{:24}{:>16}{:>8}{:>16}{:>16}{:>14}{:>14}"
        print(row.format(
            "PROCESS", "PSS MB", "GROWTH", "PRIVATE MB", "RSS MB", "DESCRIPTORS", "TASKS"
        ))  # fmt: skip
        faults = []
        for each in self.verdicts():
            tasks = "-" if each.tasks is None else _pair(each.tasks, 1, 0)
            print(row.format(
                each.name, _pair(each.pss), f"{each.growth:.1%}", _pair(each.private),
                _pair(each.rss), _pair(each.descriptors, 1, 0), tasks,
            ))  # fmt: skip
            found = each.faults(memory=self._given.memory)
            faults += [f"{each.name}: {fault}" for fault in found]
        created, deleted = self.rates()
        counts = ", ".join(f"{what} {count}" for what, count in self._churn.counts.items())
        print(f"{created:.1f} pods created and {deleted:.1f} deleted a second; {counts}")
        if (alive := self.alive()) is not None:
            print("{:.0f} pods were alive in the first quarter, {:.0f} in the last".format(*alive))
        if not self._given.memory:
            print(
                f"NOT JUDGED memory: its bounds are reached after {_WARM_UP_MINUTES:g} minutes "
                f"(give --minutes {2 * _WARM_UP_MINUTES:g}, or a --warm-up)"
            )
        for fault in faults:
            print(f"GREW {fault}")
        if faults:
            return 1
        if min(created, deleted) < 0.9 * self._given.rate:
            print(f"MISSED the rate of {self._given.rate:g} pods a second was not held")
            return 2
        return 0

    def document(self) -> dict[str, object]:
        """Everything that was measured."""
        return {
            "rates": self.rates(),
            "counts": self._churn.counts,
            "alive": self._alive,
            "verdicts": [asdict(v) | {"growth": v.growth} for v in self.verdicts()],
            "samples": {n: [asdict(s) for s in all_] for n, all_ in self._samples.items()},
            "tasks": self._sampler.kinds,
        }


def _pair(values: tuple[float, float], unit: float = 1e6, digits: int = 1) -> str:
    return " → ".join(f"{value / unit:.{digits}f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
