"""The Kubernetes REST face: HTTPS for kubectl and every other client.

It translates: a request becomes a registry call, an entry becomes bytes. It holds no state of the
cluster and decides nothing about objects. `paths`, `query`, `negotiation` and `tables` are pure;
`server` owns the sockets; one file a verb family lies between. Before a request is carried out,
`exchange` has it audited and seated, and `router` asks authorization.
"""
