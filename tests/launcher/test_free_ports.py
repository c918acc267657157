"""Ports: what is free is found, what is taken is told."""

import socket
from collections.abc import Iterator

import pytest

from cluster.launcher import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken_is_told(taken: int) -> None:
    with pytest.raises(ports.InUse, match=f"port {taken} is in use .* choose another with --port"):
        ports.chosen(taken)


def test_the_next_free_port_is_chosen_where_none_was_asked_for(taken: int) -> None:
    assert taken < ports.chosen(0, first=taken) < taken + 1000


def test_a_port_chosen_for_something_else_is_left_alone(taken: int) -> None:
    first = ports.chosen(0, first=taken)
    assert ports.chosen(0, first=first, taken=first) > first
