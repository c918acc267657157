"""Subresources: what may be read and written under an object's name; one a file.

Each is a module with the functions of `table.Subresource` that it supports.
"""
