"""etcd v3 as `storage.interface.Storage`: several API servers on one store.

Keys are laid out as kube-apiserver's (under `/registry`, or another prefix); values are ours, so a
kube-apiserver cannot serve them. `store` binds the parts; `keys`, `txns` and `faults` are pure.
One change is one Txn, so each has a revision of its own, and an answer is given when this server's
own watch has told its subscribers.
"""
