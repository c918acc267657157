"""The kubelet's own server: logs, exec, attach, port-forward and pages, for the API server.

`service` is `cluster.v1.Kubelet` as an object, for one node or for all those of a process; the lab
hands it to its API server, `server` puts it on gRPC. `logtext` is the pure part of logs.
"""
