"""Floor 0: what asyncio lacks. Tasks with owners, clock, backoff, bounded broadcast, gRPC servers.

Knows no Kubernetes: nothing here may mention an object, a node or a resource.
"""
