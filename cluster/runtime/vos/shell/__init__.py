"""`sh`: a small POSIX shell. `parsing` makes a tree (`syntax`) of text, `running` carries it out.

What is not built is a syntax error that says so; nothing is guessed.
"""
