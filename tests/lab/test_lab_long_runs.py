"""A lab that runs long: what it keeps stays bounded, and what it tells stays the same."""

from typing import Any

from cluster.aio import clock, virtual
from cluster.apiserver import ledger
from cluster.lab.eventlog import EventLog
from cluster.lab.lab import Lab
from cluster.lab.world import Cluster


def cron_job() -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "report"}]}
    template = {"metadata": {"annotations": {"kubemu.dev/run-for": "20s"}}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "report", "namespace": "default"},
        "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"template": template}}},
    }


def a_morning(seed: int) -> tuple[str, str, int, int, int]:
    async def scenario(cluster: Cluster) -> tuple[int, int, int]:
        await cluster.apply([cron_job()])
        await cluster.sleep(4.25 * 3600)
        jobs, pods = cluster.list("jobs.batch"), cluster.list("pods")
        return len(jobs), len(pods), len(cluster.list("events"))

    lab = Lab(seed=seed, nodes=1)
    counts = lab.run(scenario)
    assert lab.log is not None
    return lab.log.text, lab.log.digest, *counts


def test_finished_jobs_their_pods_and_events_go_and_a_seed_tells_the_same_again() -> None:
    text, digest, jobs, pods, events = a_morning(3)
    assert (jobs, pods) == (3, 3)
    assert text.count(" create jobs.batch ") == 25
    assert 0 < events < 2 * text.count(" create events ") / 4
    assert a_morning(3)[:2] == (text, digest)


def test_a_log_of_many_lines_is_packed_and_loses_none() -> None:
    async def main() -> None:
        log = EventLog(clock.SystemClock())
        expected = []
        for number in range(20_000):
            fact = ledger.Fact(number, 1.5, "me", "create", "pods", f"default/p{number}", 0)
            log.fact(fact)
            expected.append(
                f"1970-01-01T00:00:01.500000Z {number} me create pods default/p{number} cause=0 "
                "sum=00000000"
            )
        assert log.lines == expected
        assert log.text == "".join(f"{line}\n" for line in expected)
        assert log.tail(3) == expected[-3:]
        assert len(log.tail(1_000_000)) < len(expected)

    virtual.run(main())
