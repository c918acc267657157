"""`sed`: `reading` makes commands of a script, `running` carries them out over lines.

The commands of POSIX, and of GNU those that scripts use: -i, -E, `addr~step`, `addr,+N`, `T`, `z`.
"""
