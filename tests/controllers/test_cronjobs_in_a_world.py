"""CronJobs live: what the documentation says of them, in a world of virtual time."""

import asyncio

import pytest
from controllerworld import World
from cronjobworld import CRON_JOBS, JOBS, cron_job, until_wall, with_jobs

from cluster.aio import virtual
from cluster.api import errors, objects, timestamps


async def names(world: World) -> list[str]:
    return sorted(objects.name(job) for job in await world.all(JOBS))


def minutes(text: str) -> int:
    return int(timestamps.decode(text)) // 60


def test_a_job_is_made_in_time_from_the_template() -> None:
    async def main() -> None:
        async with with_jobs() as (world, _):
            made = await world.create(CRON_JOBS, cron_job())
            await until_wall(world, "2027-01-15T08:05:00Z")
            assert await names(world) == []
            await asyncio.sleep(1)
            (job,) = await world.all(JOBS)
            meta = job["metadata"]
            assert meta["name"] == f"report-{minutes('2027-01-15T08:05:00Z')}"
            assert meta["labels"]["app"] == "report"
            assert meta["annotations"] == {
                "team": "numbers",
                "batch.kubernetes.io/cronjob-scheduled-timestamp": "2027-01-15T08:05:00Z",
            }
            assert meta["ownerReferences"] == [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": "report",
                 "uid": made["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}
            ]  # fmt: skip
            status = (await world.get(CRON_JOBS, "report"))["status"]
            assert status["lastScheduleTime"] == "2027-01-15T08:05:00Z"
            (reference,) = status["active"]
            assert (reference["kind"], reference["uid"]) == ("Job", meta["uid"])
            await asyncio.sleep(25)
            status = (await world.get(CRON_JOBS, "report"))["status"]
            assert "active" not in status
            assert status["lastSuccessfulTime"] == "2027-01-15T08:05:20Z"
            name = meta["name"]
            assert await world.events("SuccessfulCreate") == [f"Created job {name}"]
            assert await world.events("SawCompletedJob") == [
                f"Saw completed job: {name}, condition: Complete"
            ]

    virtual.run(main())


def test_history_is_kept_to_its_limits_the_oldest_go() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            fails = {f"report-{minutes('2027-01-15T08:10:00Z')}",
                     f"report-{minutes('2027-01-15T08:20:00Z')}"}  # fmt: skip
            jobs.ending = lambda job: (
                5.0, "Failed" if objects.name(job) in fails else "Complete",
            )  # fmt: skip
            await world.create(CRON_JOBS, cron_job(successfulJobsHistoryLimit=2))
            await until_wall(world, "2027-01-15T08:31:00Z")
            kept = [f"2027-01-15T08:{minute}:00Z" for minute in ("20", "25", "30")]
            assert await names(world) == [f"report-{minutes(text)}" for text in kept]
            gone = sorted(await world.events("SuccessfulDelete"))
            assert gone == [
                f"Deleted job report-{minutes(f'2027-01-15T08:{minute}:00Z')}"
                for minute in ("05", "10", "15")
            ]
            assert not await world.events("FailedDelete")

    virtual.run(main())


def test_no_history_is_kept_where_none_is_wanted() -> None:
    async def main() -> None:
        async with with_jobs() as (world, _):
            await world.create(CRON_JOBS, cron_job(successfulJobsHistoryLimit=0))
            await until_wall(world, "2027-01-15T08:06:00Z")
            assert await names(world) == []
            status = (await world.get(CRON_JOBS, "report"))["status"]
            assert "active" not in status
            assert status["lastSuccessfulTime"] == "2027-01-15T08:05:20Z"

    virtual.run(main())


@pytest.mark.parametrize(
    ("policy", "made", "alive"), [("Allow", 3, 3), ("Forbid", 1, 1), ("Replace", 3, 1)]
)
def test_what_becomes_of_a_run_that_is_still_there_at_the_next(
    policy: str, made: int, alive: int
) -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: (1000.0, "Complete")
            await world.create(CRON_JOBS, cron_job(concurrencyPolicy=policy))
            await until_wall(world, "2027-01-15T08:16:00Z")
            assert len(jobs.made) == made
            assert len(await names(world)) == alive
            active = (await world.get(CRON_JOBS, "report"))["status"]["active"]
            assert sorted(ref["name"] for ref in active) == await names(world)
            skipped = await world.events("JobAlreadyActive")
            told = (
                "Not starting job because prior execution is running and concurrency policy is "
                "Forbid"
            )
            assert skipped == ([told] if policy == "Forbid" else [])
            assert len(await world.events("SuccessfulDelete")) == made - alive

    virtual.run(main())


def test_a_forbidden_start_comes_as_soon_as_the_run_before_it_ends() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: (400.0, "Complete")
            await world.create(CRON_JOBS, cron_job(concurrencyPolicy="Forbid"))
            await until_wall(world, "2027-01-15T08:11:41Z")  # 08:05:00 and 400 s
            await asyncio.sleep(1)
            assert [objects.name(job) for job in jobs.made] == [
                f"report-{minutes('2027-01-15T08:05:00Z')}",
                f"report-{minutes('2027-01-15T08:10:00Z')}",
            ]

    virtual.run(main())


def test_nothing_starts_while_it_is_suspended_and_what_was_missed_once_after() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            await world.create(CRON_JOBS, cron_job(suspend=True))
            await until_wall(world, "2027-01-15T08:17:00Z")
            assert jobs.made == []
            await world.client.patch(CRON_JOBS, "report", {"spec": {"suspend": False}}, "default")
            await asyncio.sleep(1)
            assert await names(world) == [f"report-{minutes('2027-01-15T08:15:00Z')}"]
            await until_wall(world, "2027-01-15T08:21:00Z")
            assert len(jobs.made) == 2

    virtual.run(main())


def test_what_was_missed_beyond_its_deadline_is_not_made_up_for() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            late = cron_job(suspend=True, startingDeadlineSeconds=60)
            await world.create(CRON_JOBS, late)
            await until_wall(world, "2027-01-15T08:17:00Z")
            await world.client.patch(CRON_JOBS, "report", {"spec": {"suspend": False}}, "default")
            await asyncio.sleep(30)
            assert jobs.made == []
            await until_wall(world, "2027-01-15T08:20:01Z")
            assert len(jobs.made) == 1

    virtual.run(main())


def test_many_missed_starts_are_told_of_and_one_is_made() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            await world.create(CRON_JOBS, cron_job(schedule="* * * * *", suspend=True))
            await until_wall(world, "2027-01-15T10:00:30Z")
            await world.client.patch(CRON_JOBS, "report", {"spec": {"suspend": False}}, "default")
            await asyncio.sleep(10)
            assert [objects.name(job) for job in jobs.made] == [
                f"report-{minutes('2027-01-15T10:00:00Z')}"
            ]
            assert await world.events("TooManyMissedTimes") == [
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or "
                "check clock skew"
            ]

    virtual.run(main())


def test_times_are_those_of_the_zone() -> None:
    async def main() -> None:
        async with with_jobs() as (world, _):
            await world.create(CRON_JOBS, cron_job(schedule="15 17 * * *", timeZone="Asia/Tokyo"))
            await until_wall(world, "2027-01-15T08:15:01Z")
            (job,) = await world.all(JOBS)
            noted = objects.annotations(job)["batch.kubernetes.io/cronjob-scheduled-timestamp"]
            assert noted == "2027-01-15T17:15:00+09:00"

    virtual.run(main())


def test_a_changed_schedule_counts_from_its_next_time_on() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            await world.create(CRON_JOBS, cron_job(schedule="0 12 * * *"))
            await until_wall(world, "2027-01-15T08:07:30Z")
            patch = {"spec": {"schedule": "* * * * *"}}
            await world.client.patch(CRON_JOBS, "report", patch, "default")
            await asyncio.sleep(29)
            assert jobs.made == []
            await asyncio.sleep(2)
            assert await names(world) == [f"report-{minutes('2027-01-15T08:08:00Z')}"]

    virtual.run(main())


def test_a_schedule_that_names_no_day_is_told_of() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            await world.create(CRON_JOBS, cron_job(schedule="0 0 31 2 *"))
            await asyncio.sleep(60)
            assert jobs.made == []
            assert await world.events("InvalidSchedule") == [
                "invalid schedule: 0 0 31 2 * : time difference between two schedules is less "
                "than 1 second"
            ]

    virtual.run(main())


def test_a_run_that_somebody_deleted_is_missed_and_taken_out() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: None
            await world.create(CRON_JOBS, cron_job(concurrencyPolicy="Forbid"))
            await until_wall(world, "2027-01-15T08:06:00Z")
            (name,) = await names(world)
            await world.client.delete(JOBS, name, "default", propagation="Background")
            await asyncio.sleep(1)
            assert "active" not in (await world.get(CRON_JOBS, "report"))["status"]
            assert await world.events("MissingJob") == [f"Active job went missing: {name}"]
            await until_wall(world, "2027-01-15T08:11:00Z")
            assert len(await names(world)) == 1

    virtual.run(main())


def test_a_job_that_somebody_else_made_for_it_is_unexpected_and_stays() -> None:
    """`kubectl create job --from=cronjob/report by-hand` makes such a Job."""

    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: (30.0, "Complete")
            made = await world.create(CRON_JOBS, cron_job())
            job = {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {
                    "name": "by-hand",
                    "namespace": "default",
                    "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
                    "ownerReferences": [
                        {"apiVersion": "batch/v1", "kind": "CronJob", "name": "report",
                         "uid": made["metadata"]["uid"], "controller": True}
                    ],
                },
                "spec": made["spec"]["jobTemplate"]["spec"],
            }  # fmt: skip
            await world.create(JOBS, job)
            await asyncio.sleep(1)
            told = "Saw a job that the controller did not create or forgot: by-hand"
            assert await world.events("UnexpectedJob") == [told]
            assert "active" not in ((await world.get(CRON_JOBS, "report")).get("status") or {})
            await asyncio.sleep(40)
            status = (await world.get(CRON_JOBS, "report"))["status"]
            assert status["lastSuccessfulTime"] == "2027-01-15T08:00:30Z"

    virtual.run(main())


def test_deleting_a_cron_job_deletes_its_jobs() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: None
            await world.create(CRON_JOBS, cron_job())
            await until_wall(world, "2027-01-15T08:11:00Z")
            assert len(await names(world)) == 2
            await world.client.delete(CRON_JOBS, "report", "default", propagation="Background")
            await asyncio.sleep(5)
            assert await names(world) == []
            await until_wall(world, "2027-01-15T08:21:00Z")
            assert len(jobs.made) == 2

    virtual.run(main())


def test_a_manager_that_died_between_a_job_and_its_status_finds_it_again() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: (100.0, "Complete")
            await world.create(CRON_JOBS, cron_job())
            await until_wall(world, "2027-01-15T08:05:01Z")
            (job,) = await world.all(JOBS)
            # As it was before the status was written.
            found = await world.get(CRON_JOBS, "report")
            await world.restart_manager()
            await world.client.update(CRON_JOBS, {**found, "status": {}}, subresource="status")
            await asyncio.sleep(5)
            assert len(jobs.made) == 1
            status = (await world.get(CRON_JOBS, "report"))["status"]
            assert [ref["uid"] for ref in status["active"]] == [objects.uid(job)]
            assert status["lastScheduleTime"] == "2027-01-15T08:05:00Z"
            assert await world.events("UnexpectedJob")

    virtual.run(main())


def test_a_name_that_is_taken_is_let_alone() -> None:
    async def main() -> None:
        async with with_jobs() as (world, jobs):
            jobs.ending = lambda job: None
            taken = cron_job()["spec"]["jobTemplate"]["spec"]
            name = f"report-{minutes('2027-01-15T08:05:00Z')}"
            meta = {"name": name, "namespace": "default"}
            await world.create(
                JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": taken}
            )
            await world.create(CRON_JOBS, cron_job())
            await until_wall(world, "2027-01-15T08:06:00Z")
            assert "active" not in ((await world.get(CRON_JOBS, "report")).get("status") or {})
            await until_wall(world, "2027-01-15T08:11:00Z")
            assert len(jobs.made) == 2

    virtual.run(main())


def test_a_template_that_is_refused_is_told_of_and_tried_again() -> None:
    async def main() -> None:
        async with with_jobs() as (world, _):
            quota = {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "none", "namespace": "default"},
                "spec": {"hard": {"count/jobs.batch": "0"}},
            }
            await world.create("resourcequotas", quota)
            await world.create(CRON_JOBS, cron_job())
            await until_wall(world, "2027-01-15T08:05:30Z")
            told = await world.events("FailedCreate")
            assert told
            assert told[0].startswith("Error creating job: ")
            assert "exceeded quota" in told[0]

    virtual.run(main())


@pytest.mark.parametrize("policy", ["Allow", "Forbid", "Replace"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_dies_no_time_is_served_twice_and_forbidden_runs_never_overlap(
    policy: str, seed: int
) -> None:
    async def main() -> None:
        async with with_jobs(crash_every=seed) as (world, jobs):
            jobs.ending = lambda job: (70.0, "Complete")
            for number in range(3):
                wanted = cron_job(
                    f"c{number}", "* * * * *", concurrencyPolicy=policy,
                    successfulJobsHistoryLimit=2,
                )  # fmt: skip
                await world.create(CRON_JOBS, wanted)
            for _ in range(120):
                await asyncio.sleep(5)
                if policy == "Forbid":
                    await no_overlap(world)
            made = [objects.name(job) for job in jobs.made]
            assert len(made) == len(set(made))
            least = 4 if policy == "Forbid" else 8
            for number in range(3):
                mine = [name for name in made if name.startswith(f"c{number}-")]
                assert len(mine) >= least
            for number in range(3):
                found = await world.all(JOBS, labels=f"app=c{number}")
                done = [job for job in found if objects.status(job).get("completionTime")]
                assert len(done) <= 3

    virtual.run(main())


async def no_overlap(world: World) -> None:
    for number in range(3):
        found = await world.all(JOBS, labels=f"app=c{number}")
        alive = [job for job in found if not objects.status(job).get("completionTime")]
        assert len(alive) <= 1


def test_its_name_leaves_room_for_the_minutes() -> None:
    async def main() -> None:
        async with with_jobs() as (world, _):
            with pytest.raises(errors.Invalid, match="must be no more than 52 characters"):
                await world.create(CRON_JOBS, cron_job("x" * 53))

    virtual.run(main())
