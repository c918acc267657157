"""`kubemu chaos`: experiments on a cluster."""
