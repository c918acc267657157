"""Judges histories of operations and watches: pure. What was acknowledged has to be there."""
