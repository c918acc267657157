"""The shim: the process that is parent to all containers of a node. Run by `python -m`.

It takes requests on a unix socket (`frames`, `serving`), and does what needs the kernel: layers and
root file systems (`layers`, `rootfs`), containers by crun or runc (`containers`, `command`), their
streams (`console`, `sessions`), pods' network namespaces (`namespaces`), cgroups (`cgroups`). It
knows no CRI, and imports little: its memory is there on every node.
"""
