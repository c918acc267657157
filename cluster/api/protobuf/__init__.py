"""Request bodies in Kubernetes' protobuf form (`application/vnd.kubernetes.protobuf`) as JSON.

Clients built on client-go 0.32 and newer send them and do not fall back to JSON. `wire` reads the
encoding, `decoder` gives the fields their names by `fields.json`, the facts of the wire format
(made by scripts/gen-protobuf-fields).
"""
