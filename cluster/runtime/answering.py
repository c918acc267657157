"""Small pages of the node itself over HTTP/1.1, answered without a listener or a task: see
`podsockets.Answering`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

JSON: Final = "application/json"
_AT_ONCE: Final = 16
"""Questions that are answered of one read: who asks more without waiting has to come again."""


class Page(NamedTuple):
    """What is answered."""

    status: int
    body: bytes = b""
    kind: str = JSON


Told = Callable[[str], Page]
"""The page at a path."""


class Pages:
    """The server's side of one connection."""

    def __init__(self, told: Told) -> None:
        import h11  # here: few nodes are ever asked

        self._told = told
        self._path = ""
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=16 << 10)
        self.closed = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the client; what is answered."""
        import h11

        made, answered = b"", 0
        try:
            self._http.receive_data(data)
            while not self.closed:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    break
                if event is h11.PAUSED:
                    self._http.start_next_cycle()
                elif isinstance(event, h11.ConnectionClosed):
                    self.closed = True
                elif isinstance(event, h11.Request):
                    self._path = event.target.partition(b"?")[0].decode("latin-1")
                elif isinstance(event, h11.EndOfMessage):
                    answered += 1
                    made += self._answer(self._told(self._path), last=answered >= _AT_ONCE)
        except h11.RemoteProtocolError as error:
            self.closed = True
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                made += self._answer(Page(error.error_status_hint))
        return made

    def _answer(self, page: Page, *, last: bool = False) -> bytes:
        import h11

        headers = [
            ("Content-Type", page.kind),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(page.body))),
        ]
        if last:
            headers.append(("Connection", "close"))
        reason = _REASONS.get(page.status, "")
        events: tuple[h11.Event, ...] = (
            h11.Response(status_code=page.status, headers=headers, reason=reason),
            h11.Data(data=page.body),
            h11.EndOfMessage(),
        )
        made = b"".join(self._http.send(event) or b"" for event in events)
        self.closed = self.closed or self._http.our_state is h11.MUST_CLOSE
        return made


_REASONS: Final = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable",
}  # fmt: skip
