"""Write batching: what is joined, what is kept apart, and what each writer hears."""

import asyncio

import pytest
from fake_api import FakeApi, pod
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.aio import tasks, virtual
from cluster.api import errors
from cluster.api.operations import Operation, Verb
from cluster.client import batching, cause
from cluster.client.client import Client
from cluster.client.transport import ALONE, Raw


def _operation(name="", body=b"", namespace="ns"):
    return Operation(Verb.PATCH, "pods", namespace, name, body=body)


class Wire:
    """Records batches; each takes `seconds`; `answers` overrides what comes back."""

    def __init__(self, seconds=0.0):
        self.batches = []
        self.seconds = seconds
        self.under_way = 0
        self.most = 0
        self.answers = []

    async def __call__(self, operations):
        self.batches.append([operation.name for operation in operations])
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way -= 1
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return [Raw(operation.name.encode(), 1) for operation in operations]


def _limits(**changes):
    return batching.Limits(**changes)


def test_writes_of_one_turn_share_a_batch_in_order():
    wire = Wire()

    async def main():
        async with batching.Batcher(wire) as batcher, tasks.Group("g") as group:
            for number in range(50):
                group.spawn(batcher.submit(_operation(str(number))), "w")

    virtual.run(main())
    assert wire.batches == [[str(number) for number in range(50)]]


def test_each_writer_gets_its_own_outcome():
    wire = Wire()
    refused = errors.not_found("pods", "b")
    wire.answers = [[Raw(b"a", 5), refused, None]]

    async def main():
        async with batching.Batcher(wire) as batcher:
            answers = [batcher.enqueue(_operation(name)) for name in "abc"]
            return [await answer for answer in answers]

    assert virtual.run(main()) == [Raw(b"a", 5), refused, None]


def test_submit_raises_the_error_it_met():
    wire = Wire()
    wire.answers = [[errors.not_found("pods", "b")]]

    async def main():
        async with batching.Batcher(wire) as batcher:
            await batcher.submit(_operation("b"))

    with pytest.raises(errors.NotFound, match='pods "b" not found'):
        virtual.run(main())


def test_batches_under_way_are_bounded_and_the_rest_shares_the_next():
    wire = Wire(seconds=1)

    async def main():
        async with batching.Batcher(wire, _limits(in_flight=2)) as batcher:
            answers = []
            for number in range(10):
                answers.append(batcher.enqueue(_operation(str(number))))
                await asyncio.sleep(0.01)
            for answer in answers:
                await answer

    virtual.run(main())
    assert wire.batches == [["0"], ["1"], [str(number) for number in range(2, 10)]]
    assert wire.most == 2


def test_a_batch_is_bounded_by_count_and_by_size_and_a_giant_goes_alone():
    wire = Wire(seconds=1)

    async def main():
        limits = _limits(operations=3, size=100, in_flight=100)
        async with batching.Batcher(wire, limits) as batcher:
            small = [batcher.enqueue(_operation(f"s{number}", b"x" * 10)) for number in range(4)]
            large = [batcher.enqueue(_operation(f"l{number}", b"x" * 60)) for number in range(2)]
            giant = batcher.enqueue(_operation("giant", b"x" * 500))
            for answer in (*small, *large, giant):
                await answer

    virtual.run(main())
    assert wire.batches == [["s0", "s1", "s2"], ["s3", "l0"], ["l1"], ["giant"]]


def test_writes_to_one_object_never_overtake_each_other():
    wire = Wire(seconds=1)

    async def main():
        async with batching.Batcher(wire, _limits(in_flight=4)) as batcher:
            first = batcher.enqueue(_operation("a"))
            await asyncio.sleep(0.1)
            second = batcher.enqueue(_operation("a"))
            other = batcher.enqueue(_operation("b"))
            third = batcher.enqueue(_operation("a"))
            await other
            assert not second.done()
            for answer in (first, second, third):
                await answer

    virtual.run(main())
    assert wire.batches == [["a"], ["b"], ["a", "a"]]


def test_a_cancelled_writer_takes_its_write_back_and_hurts_nobody():
    wire = Wire(seconds=1)

    async def main():
        async with batching.Batcher(wire, _limits(in_flight=1)) as batcher:
            async with tasks.Group("g") as group:
                sent = group.spawn(batcher.submit(_operation("sent")), "sent")
                await asyncio.sleep(0.1)
                waits = group.spawn(batcher.submit(_operation("waits")), "waits")
                stays = group.spawn(batcher.submit(_operation("stays")), "stays")
                await asyncio.sleep(0.1)
                sent.cancel()
                waits.cancel()
            assert stays.result() == Raw(b"stays", 1)

    virtual.run(main())
    assert wire.batches == [["sent"], ["stays"]]


def test_a_call_that_is_not_answered_ends_at_its_deadline_and_frees_its_place():
    wire = Wire(seconds=1e9)

    async def main():
        limits = _limits(deadline=5, in_flight=1)
        async with batching.Batcher(wire, limits) as batcher:
            first = batcher.enqueue(_operation("a"))
            await asyncio.sleep(1)
            second = batcher.enqueue(_operation("b"))
            outcomes = await first, await second
            return outcomes, asyncio.get_running_loop().time()

    (first, second), now = virtual.run(main())
    assert isinstance(first, errors.Timeout)
    assert isinstance(second, errors.Timeout)
    assert now == 10


def test_a_write_that_waited_too_long_for_its_turn_is_not_sent():
    wire = Wire(seconds=4)

    async def main():
        limits = _limits(deadline=5, in_flight=1, operations=1)
        async with batching.Batcher(wire, limits) as batcher:
            answers = [batcher.enqueue(_operation(name)) for name in "abc"]
            return [await answer for answer in answers]

    *_, last = virtual.run(main())
    assert isinstance(last, errors.Timeout)
    assert wire.batches == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (errors.ServiceUnavailable("gone"), errors.ServiceUnavailable),
        (ZeroDivisionError("a fault"), errors.InternalError),
    ],
)
def test_a_failed_call_reaches_every_writer_with_an_error_of_its_own(failure, expected):
    wire = Wire()
    wire.answers = [failure]

    async def main():
        async with batching.Batcher(wire) as batcher:
            answers = [batcher.enqueue(_operation(name)) for name in "ab"]
            return [await answer for answer in answers]

    first, second = virtual.run(main())
    assert isinstance(first, expected)
    assert isinstance(second, expected)
    assert first is not second


def test_an_answer_of_the_wrong_length_is_an_error_for_all():
    wire = Wire()
    wire.answers = [[None]]

    async def main():
        async with batching.Batcher(wire) as batcher:
            answers = [batcher.enqueue(_operation(name)) for name in "ab"]
            return [await answer for answer in answers]

    assert [type(outcome) for outcome in virtual.run(main())] == [errors.InternalError] * 2


def test_closing_refuses_what_waits_and_what_is_under_way():
    wire = Wire(seconds=100)

    async def main():
        async with batching.Batcher(wire, _limits(in_flight=1)) as batcher:
            under_way = batcher.enqueue(_operation("a"))
            await asyncio.sleep(1)
            waits = batcher.enqueue(_operation("b"))
        assert asyncio.get_running_loop().time() == 1
        return await under_way, await waits

    outcomes = virtual.run(main())
    assert [type(outcome) for outcome in outcomes] == [errors.ServiceUnavailable] * 2
    assert wire.batches == [["a"]]


def test_outside_its_block_it_refuses():
    async def main():
        await batching.Batcher(Wire()).submit(_operation("a"))

    with pytest.raises(RuntimeError, match="async with"):
        virtual.run(main())


def test_too_many_waiting_writes_are_refused():
    async def main():
        async with batching.Batcher(Wire(), _limits(waiting=2)) as batcher:
            batcher.enqueue(_operation("a"))
            second = batcher.enqueue(_operation("b"))
            with pytest.raises(errors.TooManyRequests):
                await batcher.submit(_operation("c"))
            return await second

    assert virtual.run(main()) == Raw(b"b", 1)


def test_limits_must_be_positive():
    with pytest.raises(ValueError, match="in_flight must be positive"):
        batching.Limits(in_flight=0)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=40),
    pauses=st.lists(st.sampled_from([0.0, 0.0, 0.3, 1.1]), min_size=40, max_size=40),
    in_flight=st.integers(1, 4),
    operations=st.integers(1, 5),
)
def test_every_write_is_sent_once_and_in_order_for_its_object(names, pauses, in_flight, operations):
    wire = Wire(seconds=1)
    sent = [f"{name}:{number}" if name else "" for number, name in enumerate(names)]
    order = []

    class Recording(Wire):
        async def __call__(self, batch):
            order.extend(operation.body.decode() for operation in batch)
            return await wire(batch)

    async def main():
        limits = _limits(in_flight=in_flight, operations=operations, deadline=1000)
        async with batching.Batcher(Recording(), limits) as batcher:
            answers = []
            for number, name in enumerate(names):
                answers.append(batcher.enqueue(_operation(name, str(number).encode())))
                await asyncio.sleep(pauses[number])
            for answer in answers:
                assert isinstance(await answer, Raw)

    virtual.run(main())
    assert sorted(order, key=int) == [str(number) for number in range(len(names))]
    assert len(sent) == len(order)
    for name in "abc":
        mine = [int(number) for number in order if names[int(number)] == name]
        assert mine == sorted(mine)
    assert wire.most <= in_flight


def test_each_write_carries_its_own_cause_and_the_clients_manager():
    async def main():
        api = FakeApi()

        async def write(name, revision):
            with cause.because(revision):
                await client.create("pods", pod(name))

        async with Client(api, manager="kubelet") as client, tasks.Group("g") as group:
            group.spawn(write("a", 11), "a")
            group.spawn(write("b", 22), "b")
        return [(o.name, o.cause, o.field_manager) for batch in api.batches for o in batch]

    assert virtual.run(main()) == [("a", 11, "kubelet"), ("b", 22, "kubelet")]


def test_submit_all_is_one_batch_with_an_outcome_each():
    async def main():
        api = FakeApi()
        api.put("pods", pod("b"))
        async with Client(api) as client:
            made = [
                Operation(Verb.CREATE, "pods", "default", name, body=b'{"metadata":{"name":"x"}}')
                for name in ("a", "b")
            ]
            outcomes = await client.submit_all(made)
        return outcomes, len(api.batches)

    (first, second), batches = virtual.run(main())
    assert first["metadata"]["name"] == "x"
    assert isinstance(second, errors.AlreadyExists)
    assert batches == 1


def test_delete_and_bind_send_what_kubernetes_expects():
    async def main():
        api = FakeApi()
        api.put("pods", pod("a"))
        async with Client(api) as client:
            await client.delete("pods", "a", "default", uid="u", revision=4, grace=0)
            with pytest.raises(errors.NotFound):
                await client.delete("pods", "a", "default")
            await client.bind("default", "b", "uid-b", "node-1")
        return [operation for batch in api.batches for operation in batch]

    deleted, _, bound = virtual.run(main())
    assert b'"preconditions":{"uid":"u","resourceVersion":"4"}' in deleted.body
    assert b'"gracePeriodSeconds":0' in deleted.body
    assert (bound.verb, bound.subresource) == (Verb.CREATE, "binding")
    assert b'"target":{"kind":"Node","name":"node-1"}' in bound.body


class Post:
    """A `send` that settles when it is told to; `refuses` are names that are for `write`."""

    def __init__(self, refuses=()):
        self.sent = []
        self.stopped = []
        self.refuses = refuses

    def __call__(self, batch, deadline, settle):
        names = [operation.name for operation in batch]
        if any(name in self.refuses for name in names):
            return None
        self.sent.append((names, settle))
        return lambda: self.stopped.append(names)


def test_a_batch_that_is_sent_is_settled_without_a_task():
    wire, post = Wire(), Post()

    async def main():
        async with batching.Batcher(wire, _limits(in_flight=1), send=post) as batcher:
            first = [batcher.enqueue(_operation(name)) for name in "ab"]
            await asyncio.sleep(1)
            later = batcher.enqueue(_operation("a"))
            await asyncio.sleep(1)
            assert [names for names, _ in post.sent] == [["a", "b"]]
            post.sent[0][1]([Raw(b"a", 1), errors.not_found("pods", "b")])
            assert (await first[0]).json == b"a"
            assert isinstance(await first[1], errors.NotFound)
            assert [names for names, _ in post.sent] == [["a", "b"], ["a"]]
            post.sent[1][1](TimeoutError())
            assert isinstance(await later, errors.Timeout)

    virtual.run(main())
    assert wire.batches == []


def test_what_cannot_be_sent_is_written_and_what_would_wait_goes_alone():
    wire, post = Wire(), Post(refuses=("w",))

    async def main():
        async with batching.Batcher(wire, send=post) as batcher:
            written = batcher.enqueue(_operation("w"))
            await written
            sent = batcher.enqueue(_operation("s"))
            await asyncio.sleep(1)
            post.sent[0][1]([ALONE])
            assert (await sent).json == b"s"

    virtual.run(main())
    assert wire.batches == [["w"], ["s"]]


def test_what_was_sent_is_taken_back_when_the_client_closes():
    post = Post()

    async def main():
        async with batching.Batcher(Wire(), send=post) as batcher:
            answer = batcher.enqueue(_operation("a"))
            await asyncio.sleep(1)
        assert isinstance(await answer, errors.ServiceUnavailable)

    virtual.run(main())
    assert post.stopped == [["a"]]
