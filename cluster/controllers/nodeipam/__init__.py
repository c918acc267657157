"""Node IPAM: each node gets its part of the cluster's address range for pods."""
