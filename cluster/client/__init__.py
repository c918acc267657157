"""Floor 2: how components reach the API: client, channel, informers, work queues, leader election.

The client seam is `transport.Transport`: gRPC in processes, the registry itself in the lab.
"""
