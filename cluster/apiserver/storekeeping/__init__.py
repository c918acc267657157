"""What administrators do with a store as a whole: save it, look for damage, compact it.

`verifying` is pure; `service` puts it on gRPC (`cluster.v1.Store`).
"""
