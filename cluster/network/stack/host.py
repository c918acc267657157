"""A host's stack: ARP, IPv4, ICMP, UDP and TCP on one interface. Pure: frames and time in, frames out.

INTERFACE FIRST: bodies follow within the hour; names and meanings stay.

- `receive(now, frame)`, then `pull(now) -> list[Frame]` (after a batch; also after any call of an
  application), `deadline` and `tick(now)`.
- A connection (`stack.tcp.connection.Connection`): `send(data) -> int` taken, `take(most) -> bytes`,
  `end()`, `close()`, `abort()`, `watch(events)` is called at the end of `receive` and `tick` with
  bits of `tcp.events`. Inside it any method may be called but those of the Host that take `now`.
- Ports without a listener: `on_unbound(protocol, target) -> bool`; True holds what came (bounded,
  for `HOLD_SECONDS`) until somebody listens there (it is then delivered by itself) or
  `refuse_held(port)`.
- Answering for every address (`Settings.any_address`): `on_request(request)` for each SYN that no
  listener takes; later `request.accept() -> Connection`, `request.refuse()` (RST),
  `request.unreachable(code)` (ICMP) or `request.drop()`. `on_datagram(data, source, target)` for
  each datagram that no socket takes, `on_echo(now, source, target, message)` for each ping; answers
  go by `send_datagram(now, data, source, target)`, `send_echo_reply(...)`.
"""
