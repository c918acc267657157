"""Floor 3: The node agent: pods of its node, their status, the node's own status and lease.
Speaks CRI to a runtime.
"""
