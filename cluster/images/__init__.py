"""Images for real: their store, their registry, its client, and what builds them.

An image here is bytes: manifests, configurations and layers, each known by its digest (OCI image
specification 1.1, and Docker's schema 2, which differs in names). Emulated images, which are
programs, are the runtime's. Nothing here knows a pod or a cluster; who talks to it does so by the
registry's HTTP, or is given a `client.nodestore.NodeStore` from outside.
"""
