"""Virtual resources: rows of the table that keep no objects. A create asks, and is answered.

A handler is a pure function of the call and the decoded body; `table.planned` makes the rest.
"""
