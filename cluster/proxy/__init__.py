"""Floor 3: kube-proxy: computes the node's service table from Services and EndpointSlices and
programs the runtime's data plane.
"""
