"""Spreads TCP connections over several API servers, and sends none to one that is not ready.

It looks at no byte: TLS is the servers' own. Which server is next is a pure decision.
"""
