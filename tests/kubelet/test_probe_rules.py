"""Tables of the probing core: what is asked when, and what answers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kubelet.lifecycle import probes
from cluster.kubelet.lifecycle.model import Container, Sandbox, Seen, State
from cluster.kubelet.lifecycle.probes import Kind

START = 1000.0


def pod(**found):
    return {"spec": {"containers": [{"name": "web", **found}]}}


def container(number=0, *, state=State.RUNNING, started=START):
    return Container(f"c-{number}", "box", "web", number, state, started)


def seen(one):
    return Seen((Sandbox("box", 0, True, ("10.0.0.2",)),), (one,) if one else ())


def running(probing, until, answers, one=None):
    """Play a container's life: `answers(kind, time)`; when each kind was asked."""
    one = one or container()
    now, asked = one.started, []
    probing.observe(seen(one), now)
    while (due := probing.next_due()) <= until:
        now = max(now, due)
        for watch in probing.take(now):
            asked.append((str(watch.probe.kind), now - START))
            probing.heard(watch, one.id, now, good=answers(watch.probe.kind, now - START))
    return asked


def always(_kind, _time):
    return True


def test_a_pod_without_probes_has_none():
    assert probes.of(pod()) is None


def test_the_first_question_comes_after_the_delay_and_then_each_period():
    probing = probes.of(pod(livenessProbe={"exec": {}, "initialDelaySeconds": 5,
                                           "periodSeconds": 3}))  # fmt: skip
    assert running(probing, START + 12, always) == [
        ("liveness", 5), ("liveness", 8), ("liveness", 11),
    ]  # fmt: skip


def test_without_a_word_of_them_the_defaults_hold():
    watch = probes.of(pod(readinessProbe={"exec": {}})).watches["web"][Kind.READINESS]
    found = watch.probe
    assert (found.initial_delay, found.period, found.timeout) == (0, 10, 1)
    assert (found.successes, found.failures, found.grace) == (1, 3, None)


def test_nothing_else_is_asked_before_the_container_has_started():
    probing = probes.of(
        pod(
            startupProbe={"exec": {}, "periodSeconds": 10, "failureThreshold": 30},
            livenessProbe={"exec": {}, "periodSeconds": 10},
            readinessProbe={"exec": {}, "initialDelaySeconds": 45, "periodSeconds": 5},
        )
    )
    asked = running(probing, START + 50, lambda kind, time: kind != "startup" or time >= 20)
    assert asked == [
        ("startup", 0), ("startup", 10), ("startup", 20), ("liveness", 20), ("liveness", 30),
        ("liveness", 40), ("readiness", 45), ("liveness", 50), ("readiness", 50),
    ]  # fmt: skip
    assert probing.ready(container())


@pytest.mark.parametrize(
    ("kind", "answers", "condemned_at"),
    [
        ("livenessProbe", "+---", 3),
        ("livenessProbe", "--+--+--+", None),
        ("livenessProbe", "--+---", 5),
        ("startupProbe", "---", 2),
        ("startupProbe", "--+---", None),
        ("readinessProbe", "-----", None),
    ],
)
def test_a_container_is_condemned_by_failures_in_a_row(kind, answers, condemned_at):
    probing = probes.of(pod(**{kind: {"exec": {}, "periodSeconds": 1}}))
    one = container()
    at = None
    for index, answer in enumerate(answers):
        probing.observe(seen(one), START + index)
        for watch in probing.take(START + index):
            probing.heard(watch, one.id, START + index, good=answer == "+")
        if at is None and probing.condemned(one) is not None:
            at = index
    assert at == condemned_at
    held = at is not None or kind == "startupProbe"
    assert (probing.next_due() == probes.NEVER) == held


def test_readiness_takes_as_many_successes_as_it_says_and_three_failures():
    probing = probes.of(pod(readinessProbe={"exec": {}, "periodSeconds": 1, "successThreshold": 2}))
    one, shown = container(), []
    for index, answer in enumerate("++--+---++"):
        probing.observe(seen(one), START + index)
        (watch,) = probing.take(START + index)
        probing.heard(watch, one.id, START + index, good=answer == "+")
        shown.append(probing.ready(one))
    assert shown == [False, True, True, True, True, True, True, False, False, True]


def test_the_next_container_begins_anew():
    probing = probes.of(pod(livenessProbe={"exec": {}, "failureThreshold": 1}))
    running(probing, START + 5, lambda *_: False)
    first = container()
    assert probing.condemned(first).kind == "liveness"
    ended = container(state=State.EXITED)
    probing.observe(seen(ended), START + 6)
    assert probing.condemned(ended) is not None, "it is known why it ended"
    second = container(1, started=START + 7)
    probing.observe(seen(second), START + 7)
    assert probing.condemned(second) is None
    assert probing.next_due() == START + 7


def test_an_answer_about_an_earlier_container_is_not_heard():
    probing = probes.of(pod(readinessProbe={"exec": {}}))
    probing.observe(seen(container()), START)
    (watch,) = probing.take(START)
    second = container(1, started=START + 1)
    probing.observe(seen(second), START + 1)
    assert not probing.heard(watch, "c-0", START + 2, good=True)
    assert not probing.ready(second)


@pytest.mark.parametrize("kind", list(Kind))
def test_an_errored_probe_changes_nothing_and_breaks_no_row(kind):
    given = {f"{kind}Probe": {"exec": {"command": ["x"]}, "failureThreshold": 2}}
    probing, one = probes.of(pod(**given)), container()
    probing.observe(seen(one), START)
    for index, good in enumerate([None] * 5):
        (watch,) = probing.take(START + 10 * index)
        assert not probing.heard(watch, one.id, START + 10 * index, good=good)
    assert probing.condemned(one) is None
    assert probing.started(one) is (kind is not Kind.STARTUP)
    assert probing.ready(one) is (kind is Kind.LIVENESS)
    assert probing.next_due() == START + 50
    changed = []
    for index, good in enumerate((False, None, False)):
        (watch,) = probing.take(START + 50 + 10 * index)
        changed.append(probing.heard(watch, one.id, START + 50 + 10 * index, good=good))
    assert changed == [False, False, kind is not Kind.READINESS]
    assert (probing.condemned(one) is None) is (kind is Kind.READINESS)


def test_of_a_pod_that_ends_only_readiness_is_asked():
    probing = probes.of(pod(livenessProbe={"exec": {}}, readinessProbe={"exec": {}}))
    probing.observe(seen(container()), START, ending=True)
    assert [watch.probe.kind for watch in probing.take(START)] == [Kind.READINESS]


def test_slow_answers_do_not_pile_up():
    probing = probes.of(pod(livenessProbe={"exec": {}, "periodSeconds": 2, "timeoutSeconds": 30}))
    probing.observe(seen(container()), START)
    (watch,) = probing.take(START)
    assert probing.next_due() == probes.NEVER
    probing.heard(watch, "c-0", START + 7, good=True)
    assert probing.next_due() == START + 8


def test_a_kubelet_that_was_restarted_keeps_what_was_found():
    found = pod(startupProbe={"exec": {}}, readinessProbe={"exec": {}})
    status = {
        "containerStatuses": [
            {"name": "web", "containerID": "kubemu://c-0", "ready": True, "started": True}
        ]
    }
    probing = probes.of(found)
    probing.recall(status, seen(container()))
    probing.observe(seen(container()), START + 100)
    assert probing.ready(container())
    other = probes.of(found)
    other.recall(status, seen(container(1)))
    assert not other.started(container(1)), "that was another container"


@given(st.integers(1, 4), st.integers(1, 4), st.lists(st.booleans(), max_size=40))
def test_a_verdict_changes_only_after_enough_answers_in_a_row(successes, failures, answers):
    probing = probes.of(
        pod(readinessProbe={"exec": {}, "periodSeconds": 1, "successThreshold": successes,
                            "failureThreshold": failures})
    )  # fmt: skip
    one, ready = container(), False
    for index, good in enumerate(answers):
        probing.observe(seen(one), START + index)
        (watch,) = probing.take(START + index)
        probing.heard(watch, one.id, START + index, good=good)
        row = answers[max(0, index + 1 - (successes if good else failures)) : index + 1]
        if len(row) == (successes if good else failures) and all(a is good for a in row):
            ready = good
        assert probing.ready(one) is ready
