"""The multi-version core against a naive model that keeps a full copy of every revision."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.storage.interface import Change, Compacted, Deleted, FutureRevision, Mismatch, Record
from cluster.storage.mvcc import Mvcc

KEYS = ("/a/1", "/a/2", "/a/2/x", "/b/1")


def put(core: Mvcc, key: str, value: bytes, expected: int | None = None) -> Record:
    result, _ = core.apply(Change(key, value, expected))
    assert isinstance(result, Record)
    core.settle(core.revision)
    return result


def test_each_change_gets_the_next_revision_and_keeps_the_creation():
    core = Mvcc()
    first = put(core, "/a", b"1", 0)
    second = put(core, "/b", b"2", 0)
    third = put(core, "/a", b"3", first.revision)
    assert [first.revision, second.revision, third.revision] == [1, 2, 3]
    assert (third.created, third.value) == (1, b"3")


@pytest.mark.parametrize(
    ("expected", "made"), [(0, False), (1, True), (2, False), (None, True)], ids=str
)
def test_a_change_is_made_only_when_its_expectation_holds(expected, made):
    core = Mvcc()
    put(core, "/a", b"1")
    result, event = core.apply(Change("/a", b"2", expected))
    assert (event is not None) is made
    if not made:
        assert result == Mismatch(Record("/a", b"1", 1, 1))
        assert core.revision == 1


@pytest.mark.parametrize("expected", [0, 2, None], ids=str)
@pytest.mark.parametrize("value", [b"2", None], ids=["write", "delete"])
@pytest.mark.parametrize("guard", [0, 2, 3], ids=str)
def test_a_change_whose_guard_does_not_hold_is_not_made_and_told_so(expected, value, guard):
    core = Mvcc()
    lease = put(core, "/lease", b"me")
    put(core, "/a", b"1")
    result, event = core.apply(Change("/a", value, expected, ("/lease", guard)))
    assert (result, event) == (Mismatch(lease, guard=True), None)
    assert core.revision == 2


def test_a_guard_that_holds_leaves_the_expectation_to_decide():
    core = Mvcc()
    lease = put(core, "/lease", b"me")
    guard = ("/lease", lease.revision)
    wrong, _ = core.apply(Change("/a", b"1", 7, guard))
    right, _ = core.apply(Change("/a", b"1", 0, guard))
    absent, _ = core.apply(Change("/b", b"1", 0, ("/nobody", 0)))
    assert wrong == Mismatch(None)
    assert right == Record("/a", b"1", 2, 2)
    assert absent == Record("/b", b"1", 3, 3)


def test_a_guard_counts_what_is_not_settled_yet():
    core = Mvcc()
    lease = put(core, "/lease", b"me")
    core.apply(Change("/lease", b"another", lease.revision))
    late, _ = core.apply(Change("/a", b"1", 0, ("/lease", lease.revision)))
    assert late == Mismatch(Record("/lease", b"another", 2, 1), guard=True)


def test_deleting_what_is_not_there_is_a_mismatch():
    core = Mvcc()
    assert core.apply(Change("/a", None, None)) == (Mismatch(None), None)


def test_readers_do_not_see_what_is_not_settled():
    core = Mvcc()
    core.apply(Change("/a", b"1", 0))
    assert core.get("/a") is None
    assert core.range("/").records == []
    events = core.settle(1)
    assert [(event.revision, event.key) for event in events] == [(1, "/a")]
    assert core.get("/a") == Record("/a", b"1", 1, 1)


def test_undo_takes_back_everything_that_is_not_settled():
    core = Mvcc()
    put(core, "/a", b"1")
    core.apply(Change("/a", b"2", 1))
    core.apply(Change("/b", b"3", 0))
    core.apply(Change("/a", None, 2))
    core.undo()
    assert core.revision == 1
    assert put(core, "/b", b"4", 0).revision == 2
    assert core.get("/a") == Record("/a", b"1", 1, 1)


def test_a_range_pages_through_a_prefix_and_not_its_neighbours():
    core = Mvcc()
    for key in ("/a/1", "/a/2", "/a/3", "/ab", "/b"):
        put(core, key, b"")
    first = core.range("/a/", limit=2)
    assert [record.key for record in first.records] == ["/a/1", "/a/2"]
    assert first.more == 1
    put(core, "/a/25", b"")
    rest = core.range("/a/", revision=first.revision, after="/a/2", limit=2)
    assert [record.key for record in rest.records] == ["/a/3"]
    assert rest.more == 0


def test_the_future_and_the_compacted_past_cannot_be_read():
    core = Mvcc()
    for number in range(4):
        put(core, "/a", b"%d" % number)
    core.compact(3)
    with pytest.raises(FutureRevision):
        core.get("/a", 5)
    with pytest.raises(Compacted):
        core.range("/", revision=2)
    with pytest.raises(Compacted):
        core.history(2)
    assert core.get("/a", 3) == Record("/a", b"2", 3, 1)
    assert [event.revision for event in core.history(3)] == [4]


change = st.tuples(
    st.sampled_from(KEYS), st.none() | st.binary(max_size=2), st.sampled_from(["any", "right", 0])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(change, max_size=30), st.integers(0, 30))
def test_every_kept_revision_reads_as_a_full_copy_would(changes, compact_at):
    core = Mvcc()
    model: dict[str, Record] = {}
    copies = [dict(model)]
    for key, value, rule in changes:
        current = model.get(key)
        expected = {"any": None, "right": current.revision if current else 0}.get(rule, 0)
        result, _ = core.apply(Change(key, value, expected))
        if isinstance(result, Mismatch):
            assert result.current == current
            continue
        if isinstance(result, Deleted):
            assert result.previous == model.pop(key)
        else:
            model[key] = result
        core.settle(core.revision)
        copies.append(dict(model))
    compact_at = min(compact_at, core.revision)
    core.compact(compact_at)
    for revision in range(compact_at, core.revision + 1):
        if revision == 0:
            continue
        expected_records = [copies[revision][key] for key in sorted(copies[revision])]
        assert list(core.range("/", revision).records) == expected_records
        assert [core.get(key, revision) for key in KEYS] == [
            copies[revision].get(key) for key in KEYS
        ]
    replayed = dict(copies[compact_at])
    for event in core.history(compact_at):
        assert event.previous == replayed.get(event.key)
        if event.record is None:
            del replayed[event.key]
        else:
            replayed[event.key] = event.record
    assert replayed == model


def test_each_of_several_guards_has_to_hold():
    core = Mvcc()
    lease = put(core, "/lease", b"me")
    space = put(core, "/space", b"there")
    both = (("/lease", lease.revision), ("/space", space.revision))
    made, _ = core.apply(Change("/a", b"1", 0, guards=both))
    assert made == Record("/a", b"1", 3, 3)
    gone = put(core, "/space", b"going", space.revision)
    late, event = core.apply(Change("/b", b"1", 0, guards=both))
    assert (late, event) == (Mismatch(gone, guard=True), None)
    also, _ = core.apply(Change("/b", b"1", 0, ("/lease", 9), both))
    assert also == Mismatch(lease, guard=True)
