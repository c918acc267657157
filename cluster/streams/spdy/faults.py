"""What can be wrong with what a peer sends."""


class Malformed(Exception):
    """The peer breaks the protocol, so that the connection cannot go on."""
