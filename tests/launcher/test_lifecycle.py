"""The life of a supervised process: restarts, back-off, stopping by force."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.launcher import lifecycle
from cluster.launcher.lifecycle import Impossible, Lifecycle, Phase, Policy, Signal, Spawn, Wake

POLICY = Policy(first_delay=0.1, longest_delay=2.0, stable_after=10.0, grace=5.0)


def running(pid: int = 7, now: float = 0.0) -> Lifecycle:
    life = Lifecycle(POLICY)
    assert life.start(now) == [Spawn()]
    life.spawned(pid, now)
    life.ready(now)
    return life


def test_it_starts_and_becomes_ready() -> None:
    life = Lifecycle(POLICY)
    assert (life.phase, life.pid) == (Phase.STOPPED, 0)
    life.start(0.0)
    assert life.phase is Phase.STARTING
    life.spawned(7, 0.1)
    assert (life.phase, life.pid) == (Phase.STARTING, 7)
    life.ready(0.2)
    assert life.phase is Phase.RUNNING


def test_one_that_dies_is_started_again_after_the_first_delay() -> None:
    life = running()
    assert life.exited(-signal.SIGKILL, 50.0) == [Wake(50.1)]
    assert (life.phase, life.restarts, life.last_exit) == (Phase.BACKOFF, 1, "killed by SIGKILL")
    assert life.wake(50.05) == []
    assert life.wake(50.1) == [Spawn()]


def test_delays_double_up_to_the_cap_while_it_keeps_failing() -> None:
    life, now, delays = running(), 1.0, []
    for _ in range(7):
        (wake,) = life.exited(1, now)
        assert isinstance(wake, Wake)
        delays.append(round(wake.at - now, 3))
        assert life.wake(wake.at) == [Spawn()]
        now = wake.at + 1.0
        life.spawned(8, now)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_delays_start_small_again_after_a_stable_while() -> None:
    life = running()
    for now in (1.0, 2.0, 3.0):
        (wake,) = life.exited(1, now)
        assert isinstance(wake, Wake)
        life.wake(wake.at)
        life.spawned(8, wake.at)
    assert life.exited(1, 60.0) == [Wake(60.1)]


def test_one_that_was_killed_on_request_does_not_wait_longer_each_time() -> None:
    life = running()
    for now in (1.0, 2.0, 3.0):
        assert life.kill(signal.SIGKILL) == [Signal(7, signal.SIGKILL)]
        assert life.exited(-signal.SIGKILL, now) == [Wake(now + 0.1)]
        life.wake(now + 0.1)
        life.spawned(7, now + 0.1)
    life.kill(signal.SIGHUP)
    assert life.exited(1, 4.0) == [Wake(4.1)]  # of something else: the first failure of its own
    life.wake(4.1)
    life.spawned(7, 4.1)
    assert life.exited(1, 5.0) == [Wake(5.2)]


def test_stopping_asks_first_and_kills_after_the_grace() -> None:
    life = running()
    assert life.stop(20.0) == [Signal(7, signal.SIGTERM), Wake(25.0)]
    assert life.wake(24.9) == []
    assert life.wake(25.0) == [Signal(7, signal.SIGKILL)]
    assert life.exited(-9, 25.1) == []
    assert (life.phase, life.restarts) == (Phase.STOPPED, 0)


def test_a_paused_process_is_woken_to_hear_that_it_shall_stop() -> None:
    life = running()
    assert life.pause() == [Signal(7, signal.SIGSTOP)]
    assert life.stop(0.0)[:2] == [Signal(7, signal.SIGTERM), Signal(7, signal.SIGCONT)]


def test_restart_starts_it_when_it_has_ended() -> None:
    life = running()
    life.stop(0.0, again=True)
    assert life.exited(0, 1.0) == [Spawn()]
    assert (life.phase, life.restarts) == (Phase.STARTING, 0)


def test_one_that_is_started_while_it_stops_starts_when_it_has_ended() -> None:
    life = running()
    life.stop(0.0)
    assert life.start(1.0) == []
    assert (life.phase, life.pid) == (Phase.STOPPING, 7)
    assert life.exited(0, 2.0) == [Spawn()]
    life.spawned(8, 2.0)
    life.stop(3.0)
    assert life.exited(0, 4.0) == []
    assert life.phase is Phase.STOPPED


def test_the_last_word_counts_while_it_stops() -> None:
    life = running()
    life.stop(0.0)
    life.start(1.0)
    life.stop(2.0)
    assert life.exited(0, 3.0) == []
    assert life.phase is Phase.STOPPED


def test_one_stopped_before_it_has_a_pid_is_ended_when_it_has() -> None:
    life = Lifecycle(POLICY)
    life.start(0.0)
    assert life.stop(0.0) == []
    assert life.spawned(9, 0.5) == [Signal(9, signal.SIGTERM), Wake(5.5)]


def test_stopping_one_that_waits_to_be_restarted_keeps_it_down() -> None:
    life = running()
    life.exited(1, 1.0)
    assert life.stop(1.05) == []
    assert life.phase is Phase.STOPPED
    assert life.wake(100.0) == []


def test_one_that_cannot_be_started_is_tried_again() -> None:
    life = Lifecycle(POLICY)
    life.start(0.0)
    assert life.failed("fork: Resource temporarily unavailable", 0.0) == [Wake(0.1)]
    assert life.last_exit.startswith("fork:")


@pytest.mark.parametrize("act", [Lifecycle.pause, Lifecycle.resume, lambda life: life.kill(9)])
def test_what_does_not_run_cannot_be_signalled(act) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Impossible, match="it does not run: it is stopped"):
        act(Lifecycle(POLICY))


def test_what_runs_cannot_be_started() -> None:
    with pytest.raises(Impossible, match="it is running already"):
        running().start(1.0)


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit code 0"), (2, "exit code 2"), (-15, "killed by SIGTERM"), (None, "ended, nobody")],
)
def test_an_end_is_told_in_words(status: int | None, words: str) -> None:
    assert lifecycle.described(status).startswith(words)


@given(st.lists(st.sampled_from(["start", "stop", "again", "exit", "wake", "spawned"])))
def test_it_never_has_two_processes_and_a_pid_only_while_one_runs(steps: list[str]) -> None:
    life, now, alive, asked = Lifecycle(POLICY), 0.0, 0, False
    for step in steps:
        now += 3.0
        commands: list[lifecycle.Command] = []
        if step == "start" and life.phase not in (Phase.STARTING, Phase.RUNNING):
            commands = life.start(now)
        elif step in ("stop", "again"):
            commands = life.stop(now, again=step == "again")
        elif step == "exit" and alive:
            alive, commands = 0, life.exited(1, now)
        elif step == "wake":
            commands = life.wake(now)
        elif step == "spawned" and asked:
            asked, alive = False, 42
            commands = life.spawned(42, now)
        if Spawn() in commands:
            assert not asked
            assert not alive
            asked = True
        assert life.pid == alive
