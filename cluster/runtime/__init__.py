"""Floor 3: What machine, kernel and containerd are to a real node: CRI v1 and the node's data
plane. Drivers: sim.
"""
