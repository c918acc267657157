"""OpenAPI documents, made from the table of resources and the schemas. Pure.

`operations` says what can be done at which path, `v3` and `v2` write that down in the two forms
that clients read: /openapi/v3 (an index, and a document a group version) and /openapi/v2.
"""
