"""Ports are chosen so that two clusters that start at once do not meet."""

import contextlib
import socket
import subprocess

import pytest

from cluster.launcher import ports


def test_what_one_start_claimed_another_does_not_choose(tmp_path):
    with ports.Claims(tmp_path) as one, ports.Claims(tmp_path) as other:
        first = one.choose(0, 20_000)
        second = other.choose(0, 20_000)
        assert one.choose(0, 20_000) > second > first
    with ports.Claims(tmp_path) as later:
        assert later.choose(0, 20_000) == first


def test_a_claim_lives_on_with_the_process_that_inherits_it(tmp_path):
    with ports.Claims(tmp_path) as claims:
        port = claims.choose(0, 20_000)
        keeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=claims.descriptors)
    with keeper, ports.Claims(tmp_path) as meanwhile:
        assert meanwhile.choose(0, port) != port
        with pytest.raises(ports.InUse):
            meanwhile.choose(port)
    with ports.Claims(tmp_path) as later:
        assert later.choose(port) == port


def test_a_port_that_is_listened_on_is_passed_over_and_refused_by_name(tmp_path):
    with contextlib.closing(socket.socket()) as server, ports.Claims(tmp_path) as claims:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        assert claims.choose(0, taken) != taken
        with pytest.raises(ports.InUse, match=f"port {taken} is in use.*--port"):
            claims.choose(taken)
