"""TCP as a pure machine: segments, calls and the time in; segments and events out.

A `connection.Connection` joins two halves: `inbound` (what the peer sends: window, reassembly,
blocks of SACK) and `outbound` (what we send: buffer, the peer's window, retransmission,
congestion). `handshakes` keeps those who have not shaken hands yet, `timewait` those who have said
goodbye. `arrivals` is what a segment does to a connection, `timing` what time does; `plain` is the
short way out. Of the halves' parts, `kept` and `arrived` are the buffers, `scoreboard` what the
peer says to have, `resendings` what was sent again, `congestion` and `timeouts` how much and for
how long.

Inside, sequence numbers are *positions*: plain ints counted from the initial sequence number (the
SYN is at 0, data begins at 1) that never wrap, so they compare as ints do. Only where a segment is
read or made are they turned into the wire's, modulo 2**32.

After RFC 9293, with RFC 5681 and 6582 (NewReno), 6675 (SACK), 6298 (timeouts), 7323 (window scale,
timestamps, PAWS), 5961 (blind attacks), 3042 (limited transmit), 2883 (D-SACK), 6928 (initial
window). Linux' choices where these leave one.
"""
