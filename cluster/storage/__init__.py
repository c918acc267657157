"""Floor 1: durable multi-version storage. Knows revisions, keys and bytes, and nothing of objects.

`interface` is the seam; `mvcc` the pure core; `memory` and `sqlite` bind it.
"""
