"""Floor 4: the virtual-time world. Builds every component in one process, on one seed."""
