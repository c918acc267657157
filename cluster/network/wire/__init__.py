"""Codecs: bytes to values and back, for every layer of the overlay.

Every module is one protocol. `parse` functions take hostile bytes and answer with a value, or with
`None` where they are malformed; they never raise. `build` functions take values that the caller
answers for. IPv4 addresses are ints, MACs six bytes, times float seconds. Nothing here keeps state,
reads a clock or knows who sends.
"""
