"""Floor 1: durable multi-version storage. Knows revisions, keys and bytes, and nothing of objects.

`interface` is the seam; `mvcc` the pure core, which `memory` and `sqlite` bind; `etcd` the seam on
etcd's members. `times` (pure) remembers when revisions were made. `snapshot` is a store in one
file, which `restoring` puts in the place of another; `paging` reads one without filling memory;
`faulty` makes a store's disk bad on purpose.
"""
