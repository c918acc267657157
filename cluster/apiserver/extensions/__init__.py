"""Custom resources at work: definitions to rows of the table, their status, and their end.

The rules are in `cluster.api.crd`; here is what has to be done about them in time.
"""
