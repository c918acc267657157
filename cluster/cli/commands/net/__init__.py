"""`kubemu net`: seeing and breaking the pod network."""
