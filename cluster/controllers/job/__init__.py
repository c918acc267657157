"""Jobs: run pods until enough of them have succeeded, and count each of them exactly once.

`intervals`, `failurepolicy`, `successpolicy`, `finishing`, `perindex`, `removal` and `pods` are
pure pieces. `survey` says how a job stands, `management` which pods to make or end, `accounting`
what its status becomes; `controller` is the shell.
"""
