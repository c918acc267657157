"""Floor 1: the rules about Kubernetes objects, as pure functions over plain JSON documents.

No I/O, no clock, no randomness: time and generators are arguments. An object is a `dict` as the
wire has it; nothing here wraps it in a class.
"""
