"""How the API server reaches kubelets: the service as it sees it, and who connects to it.

`protocol` is what the streaming subresources are written against, `location` finds a node's kubelet
in its Node object, and `grpc_kubelets` reaches it over gRPC. The lab gives a connector of its own.
"""
