"""Streaming and proxy subresources: log, exec, attach, portforward, proxy.

`logs` and `proxying`, and for the others `cluster.streams`, join a client to the kubelet of a pod's
node, and `face` is what the router calls. Nothing here knows how a kubelet is reached: that is
`apiserver.kubelets`.
"""
