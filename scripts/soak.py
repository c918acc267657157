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
grew by more than 5% and ten, where it died, at any time, or where it was not seen often enough to
be judged; and 2 where the pods could not be made at nine tenths of the rate at least. Memory is not
judged in a run that is too short for a warm-up of nine minutes, unless --warm-up says when to
begin.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

import installed

installed.here()
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import yaml  # noqa: E402

from benchmarks.clusters import Cluster  # noqa: E402
from soaking import churn, record, report, running, sampling  # noqa: E402

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
    found = record.Record(given.rate, given.warm_up * 60, given.memory)
    # The cluster ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        file = given.cluster
        if file is None:
            file = Path(folder) / "cluster.yaml"
            file.write_text(yaml.safe_dump(_CLUSTER))
        with Cluster("--name", "kubemu", "-f", str(file.absolute())) as cluster:
            sampler = sampling.Sampler(Path(cluster.kubeconfig).parent)
            load = churn.Churn(cluster.url, cluster.tls, given.rate)
            asyncio.run(running.soak(load, sampler, found, given.minutes * 60, _tell))
    print("\n".join(report.lines(found)))
    if given.json:
        document = found.document() | {"tasks": sampler.kinds}
        given.json.write_text(json.dumps(document, indent=2) + "\n")
    return report.code(found)


def _tell(found: record.Record) -> None:
    print(report.progress(found), flush=True)


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
    given.memory = given.warm_up is not None or given.minutes >= 2 * report.WARM_UP_MINUTES
    if given.warm_up is None:
        given.warm_up = min(report.WARM_UP_MINUTES, given.minutes / 2)
    if not 0 <= given.warm_up < given.minutes:
        parser.error("--warm-up is less than --minutes")
    return given


if __name__ == "__main__":
    sys.exit(main())
