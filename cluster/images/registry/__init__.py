"""`kubemu registry`: an OCI distribution registry (distribution specification 1.1) on a folder.

It serves HTTP and knows nothing of clusters. One process has a folder; what it stores is looked at
by digest when it comes and is served as it is.
"""
