"""The oci driver: containers that are real processes of Linux, made by crun or runc.

`driver.Oci` is in the runtime's process and knows CRI; `spec` (what a container is, for the
runtime's command line), `users` and `faults` are pure. What needs the kernel is done by the shim
(`shim/`): a small process of its own, one a node, parent of all its containers. It holds their
streams, logs and exit codes, so a runtime that is killed finds them again. Rootless, the shim is
root in a user namespace of its own, and all the rest is the same.
"""
