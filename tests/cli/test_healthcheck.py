"""`kubemu healthcheck`: well or not, told by the exit code."""

import socket
import threading
from pathlib import Path

import pytest

from cluster.cli import healthcheck


def answering(text: bytes) -> int:
    """A port that answers once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(text)
        connection.close()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nok", 0),
        (b"HTTP/1.1 302 Found\r\n\r\n", 0),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n[-]etcd failed", 1),
        (b"SSH-2.0-x\r\n", 1),
        (b"", 1),
    ],
)
def test_a_page_has_to_answer_well(answer: bytes, code: int) -> None:
    assert healthcheck.main([f"http://127.0.0.1:{answering(answer)}/readyz"]) == code


def test_a_socket_has_to_take_connections(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    assert healthcheck.main([f"unix:{path}"]) == 1
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert healthcheck.main([f"unix:{path}"]) == 0


@pytest.mark.parametrize("target", ["", "ftp://a:1/", "http://", "tcp://127.0.0.1", "http://a:b/"])
def test_what_is_no_target_is_not_well(target: str) -> None:
    assert healthcheck.main([target]) == 1
