"""The persistent volume binder: it binds claims to volumes, and sees to what becomes of volumes.

`claims` and `volumes` decide, `changes` says how objects are written, `controller` does it.
"""
