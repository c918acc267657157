"""Acknowledgements that wait a while, and then for nothing but a pull."""

from tcpwires import Wires


def test_one_that_is_due_is_due_once():
    wires = Wires()
    wires.client.ends = wires.server.ends = False
    wires.client.to_send += b"a"
    wires.run(100.2)
    client, server = wires.both
    client.send(b"a little")
    for piece in client.pull(101.0):
        server.receive(101.0, piece)
    late = server.deadline
    server.tick(late)
    # Who calls `tick` at deadlines is not called for ever: it waits for a pull now.
    assert server.deadline > late
    assert server.pull(late)
