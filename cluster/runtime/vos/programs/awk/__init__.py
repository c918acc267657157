"""`awk`: `reading` makes a tree of a program, `running` runs it over records.

What POSIX has, `tolower`, `toupper`, `gensub`-free; no processes: `getline < FILE` is there, pipes
and `system` say that they are not.
"""
