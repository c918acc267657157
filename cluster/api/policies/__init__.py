"""Admission policies and match conditions: their CEL expressions, as pure functions.

`environments` says what expressions may name, `expressions` compiles them in Kubernetes' words.
"""
