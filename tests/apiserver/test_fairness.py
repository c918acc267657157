"""Priority and fairness: who runs, who waits, who is turned away."""

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.api import identity
from cluster.apiserver.fairness import schemas
from cluster.apiserver.fairness.dispatching import Dispatcher, Limit, deal
from cluster.apiserver.fairness.settings import limits


def limit(name="a", nominal=4, guaranteed=None, ceiling=None, **more):
    wanted = {"queues": 16, "hand": 4, "length": 50} | more
    guaranteed = nominal if guaranteed is None else guaranteed
    return Limit(name, nominal, guaranteed, nominal if ceiling is None else ceiling, **wanted)


def world(*wanted, seats=0):
    found = Dispatcher()
    found.configure(wanted, seats or sum(each.nominal for each in wanted))
    return found


def test_who_finds_a_seat_runs_at_once():
    d = world(limit(nominal=2))
    level = d.levels["a"]
    assert d.admit(level, 1)
    assert d.admit(level, 1)
    assert not d.admit(level, 1)
    waiting = d.wait(level, "flow", 1)
    assert not waiting.given
    assert d.release(level, 1) == [waiting]
    assert waiting.given
    assert level.used == 2


def test_a_flood_waits_behind_itself_and_not_before_others():
    d = world(limit(nominal=1))
    level = d.levels["a"]
    assert d.admit(level, 1)
    flood = [d.wait(level, "flood", 1) for _ in range(40)]
    other = d.wait(level, "other", 1)
    order = []
    for _ in range(5):
        order += d.release(level, 1)
    assert other in order[:2]
    assert order[2:] == [each for each in flood if each in order][-3:]


def test_two_flows_take_turns_by_the_seats_they_take():
    d = world(limit(nominal=2, hand=1))
    level = d.levels["a"]
    assert d.admit(level, 2)
    wide = [d.wait(level, "one", 2) for _ in range(20)]
    narrow = [d.wait(level, "two", 1) for _ in range(40)]
    running = [2]
    done = Counter()
    for _ in range(40):
        given = d.release(level, running.pop(0))
        for each in given:
            running.append(each.width)
            done["wide" if each in wide else "narrow"] += each.width
    assert abs(done["wide"] - done["narrow"]) <= 4
    assert narrow


def test_a_full_queue_turns_away():
    d = world(limit(nominal=1, queues=1, hand=1, length=2))
    level = d.levels["a"]
    d.admit(level, 1)
    assert d.wait(level, "f", 1)
    assert d.wait(level, "f", 1)
    assert d.wait(level, "f", 1) is None


def test_a_level_without_queues_turns_away():
    d = world(limit(nominal=1, queues=0))
    level = d.levels["a"]
    assert d.admit(level, 1)
    assert not d.admit(level, 1)
    assert d.wait(level, "f", 1) is None


def test_what_is_exempt_always_runs_and_takes_nothing_from_others():
    d = world(limit(), limit("x", nominal=0, ceiling=0, exempt=True))
    for _ in range(100):
        assert d.admit(d.levels["x"], 1)
    assert [d.admit(d.levels["a"], 1) for _ in range(5)] == [True] * 4 + [False]


def test_idle_levels_lend_and_get_back():
    lender, borrower = (
        limit("l", 4, guaranteed=1, ceiling=8),
        limit("b", 4, guaranteed=4, ceiling=8),
    )
    d = world(lender, borrower, seats=8)
    taken = [d.admit(d.levels["b"], 1) for _ in range(8)]
    assert taken == [True] * 7 + [False]  # one is guaranteed to the lender
    assert d.admit(d.levels["l"], 1)
    mine = d.wait(d.levels["l"], "f", 1)
    more = d.wait(d.levels["b"], "f", 1)
    assert d.release(d.levels["b"], 1) == [mine]  # below its share: served first
    assert d.release(d.levels["b"], 1) == [more]


def test_who_leaves_makes_room_for_a_narrower_one():
    d = world(limit(nominal=2, queues=1, hand=1))
    level = d.levels["a"]
    assert d.admit(level, 1)
    wide, narrow = d.wait(level, "f", 2), d.wait(level, "f", 1)
    assert d.leave(wide) == [narrow]
    assert d.leave(wide) == ()


def test_a_level_that_is_removed_serves_whom_it_has():
    d = world(limit("a", 1), limit("b", 1))
    old = d.levels["a"]
    assert d.admit(old, 1)
    waiting = d.wait(old, "f", 1)
    d.configure([limit("b", 1)], 2)
    assert d.release(old, 1) == [waiting]
    assert d.release(old, 1) == ()
    d.configure([limit("b", 2)], 2)
    assert d.held == 2


def test_more_seats_let_the_waiting_in():
    d = world(limit("a", 1))
    level = d.levels["a"]
    d.admit(level, 1)
    waiting = d.wait(level, "f", 1)
    assert d.configure([limit("a", 2)], 2) == [waiting]


@given(st.text(), st.integers(1, 200), st.integers(1, 12))
def test_a_hand_has_different_queues(flow, queues, hand):
    dealt = deal(flow, queues, hand)
    assert len(set(dealt)) == len(dealt) == min(hand, queues)
    assert all(0 <= each < queues for each in dealt)
    assert deal(flow, queues, hand) == dealt


def test_hands_differ_between_flows():
    hands = {tuple(sorted(deal(f"user-{n}", 128, 6))) for n in range(500)}
    assert len(hands) > 490


@st.composite
def shares(draw):
    made = []
    for name in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)):
        nominal = draw(st.integers(1, 6))
        made.append(
            limit(
                name, nominal,
                guaranteed=draw(st.integers(0, nominal)),
                ceiling=nominal + draw(st.integers(0, 8)),
                queues=draw(st.integers(0, 4)), hand=2, length=draw(st.integers(1, 4)),
            )
        )  # fmt: skip
    return made


@settings(max_examples=150, deadline=None)
@given(shares(), st.integers(0, 2**32), st.integers(1, 200))
def test_no_seat_too_many_and_no_wake_up_lost(wanted, seed, steps):
    """Whatever comes in whatever order: seats are kept, and nobody waits who could run."""
    d, chance = world(*wanted), random.Random(seed)
    running, waiting = [], []

    def check():
        used = sum(level.used for level in d.levels.values())
        assert used == sum(width for _, width in running)
        assert used <= d.seats
        for level in d.levels.values():
            assert level.used <= max(level.limit.ceiling, level.limit.guaranteed)
            assert level.waiting == sum(len(q.waiting) for q in level.queues.values())
            if level.waiting:
                heads = [q.waiting[0] for q in level.queues.values() if q.waiting]
                turn = min(
                    (q.virtual, n) for n, q in level.queues.items() if q.waiting
                )  # fmt: skip
                head = next(h for h in heads if h.queue == turn[1])
                assert not d._fits(level, head.width)

    def take(given):
        for each in given:
            waiting.remove(each)
            running.append((each.level, each.width))

    for _ in range(steps):
        level = d.levels[chance.choice(wanted).name]
        match chance.randrange(4):
            case 0 | 1:
                width = chance.randint(1, max(1, level.limit.nominal))
                if d.admit(level, width):
                    running.append((level, width))
                elif (found := d.wait(level, f"user-{chance.randrange(5)}", width)) is not None:
                    if found.given:
                        running.append((level, width))
                    else:
                        waiting.append(found)
            case 2 if running:
                take(d.release(*running.pop(chance.randrange(len(running)))))
            case 3 if waiting:
                take(d.leave(waiting.pop(chance.randrange(len(waiting)))))
        check()
    while running:  # in the end everybody has had their turn
        take(d.release(*running.pop(0)))
        check()
    assert not waiting or all(w.width > w.level.limit.ceiling for w in waiting)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 60))
def test_a_flood_does_not_starve_another_flow(seed, flood):
    """One flow keeps many requests waiting, the other one: each gets its turn soon."""
    d = world(limit(nominal=2, queues=64, hand=6, length=200))
    level = d.levels["a"]
    for _ in range(2):
        d.admit(level, 1)
    for _ in range(flood):
        d.wait(level, f"flood-{seed}", 1)
    for _ in range(20):
        mine = d.wait(level, f"quiet-{seed}", 1)
        turns = 0
        while not mine.given:
            turns += 1
            for each in d.release(level, 1):
                if each is not mine:
                    d.wait(level, f"flood-{seed}", 1)
        # six queues of the flood at most are ahead of it
        assert turns <= 8


ALICE = identity.User("alice", ("devs", "system:authenticated"))
ROBOT = identity.User("system:serviceaccount:kube-system:robot", ("system:serviceaccounts",))
READ_PODS = {
    "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["x"],
}  # fmt: skip


def schema(subjects, name="s", precedence=100, by="", **rules):
    spec = {
        "priorityLevelConfiguration": {"name": "a"},
        "matchingPrecedence": precedence,
        "rules": [{"subjects": subjects, **rules}],
    }
    if by:
        spec["distinguisherMethod"] = {"type": by}
    return schemas.read({"metadata": {"name": name}, "spec": spec})


def group(name):
    return {"kind": "Group", "group": {"name": name}}


def account(namespace, name):
    return {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}


@pytest.mark.parametrize(
    ("subject", "user", "matches"),
    [
        ({"kind": "User", "user": {"name": "alice"}}, ALICE, True),
        ({"kind": "User", "user": {"name": "*"}}, ALICE, True),
        ({"kind": "User", "user": {"name": "bob"}}, ALICE, False),
        (group("devs"), ALICE, True),
        (group("*"), identity.User("nobody"), True),
        (group("ops"), ALICE, False),
        (account("kube-system", "robot"), ROBOT, True),
        (account("kube-system", "*"), ROBOT, True),
        (account("default", "*"), ROBOT, False),
        (account("kube-system", "other"), ROBOT, False),
        (account("kube-system", "*"), ALICE, False),
    ],
)
def test_subjects(subject, user, matches):
    found = schema([subject], resourceRules=[READ_PODS])
    assert found.matches(user, schemas.Asked("get", "", "pods", "x")) is matches


@pytest.mark.parametrize(
    ("rule", "asked", "matches"),
    [
        ({}, schemas.Asked("get", "", "pods", "x"), True),
        ({}, schemas.Asked("watch", "", "pods", "x"), False),
        ({}, schemas.Asked("get", "apps", "pods", "x"), False),
        ({}, schemas.Asked("get", "", "pods/status", "x"), False),
        ({"resources": ["pods/status"]}, schemas.Asked("get", "", "pods/status", "x"), True),
        ({}, schemas.Asked("get", "", "pods", "y"), False),
        ({"namespaces": ["*"]}, schemas.Asked("get", "", "pods", "y"), True),
        ({"namespaces": ["*"]}, schemas.Asked("list", "", "pods", ""), False),
        ({"clusterScope": True}, schemas.Asked("list", "", "pods", ""), True),
        ({"verbs": ["*"], "resources": ["*"]}, schemas.Asked("delete", "", "secrets", "x"), True),
        ({}, schemas.Asked("get", path="/healthz"), False),
    ],
)
def test_resource_rules(rule, asked, matches):
    found = schema([group("devs")], resourceRules=[READ_PODS | rule])
    assert found.matches(ALICE, asked) is matches


@pytest.mark.parametrize(
    ("url", "path", "matches"),
    [
        ("*", "/anything", True),
        ("/healthz", "/healthz", True),
        ("/healthz", "/healthz/etcd", False),
        ("/healthz/*", "/healthz/etcd", True),
        ("/healthz/*", "/healthz", False),
    ],
)
def test_rules_of_paths(url, path, matches):
    rule = {"verbs": ["get"], "nonResourceURLs": [url]}
    found = schema([group("devs")], nonResourceRules=[rule])
    assert found.matches(ALICE, schemas.Asked("get", path=path)) is matches
    assert not found.matches(ALICE, schemas.Asked("post", path=path))


def test_precedence_then_name_decide():
    found = [schema([], "b", 5), schema([], "c", 1), schema([], "a", 5)]
    assert [each.name for each in schemas.ordered(found)] == ["c", "a", "b"]


@pytest.mark.parametrize(("by", "flow"), [("ByUser", "alice"), ("ByNamespace", "x"), ("", "")])
def test_flows_are_told_apart(by, flow):
    found = schema([], by=by)
    assert found.flow(ALICE, schemas.Asked("get", "", "pods", "x")) == flow


def test_seats_are_shared_by_shares():
    def level(name, shares, **limited):
        limited["nominalConcurrencyShares"] = shares
        return {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}}

    queue = {"type": "Queue", "queuing": {"queues": 8, "handSize": 2, "queueLengthLimit": 5}}
    found = {
        each.name: each
        for each in limits(
            [
                level("big", 30, lendablePercent=50, borrowingLimitPercent=10, limitResponse=queue),
                level("small", 15, limitResponse={"type": "Reject"}),
            ],
            100,
        )
    }
    assert found["big"] == Limit("big", 60, 30, 66, 8, 2, 5)
    assert found["small"] == Limit("small", 30, 30, 100, 0, 8, 50)
    assert found["catch-all"].nominal == 10
    assert found["exempt"].exempt


def test_the_module_needs_no_loop():
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert world(limit()).admit(world(limit()).levels["a"], 1)
