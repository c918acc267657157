"""What scripts/soak.py is made of.

`churn` lets pods come and go, `sampling` looks at the cluster's processes from outside, and
`verdict` (pure) says which of them has grown.
"""
