"""The scheduling framework: extension points as protocols, verdicts as values.

Knows no plugin. A verdict ("does not fit") is a Status or a code in an array; an exception is a
fault of a plugin, and fails the attempt of the one pod.
"""
