"""Namespace deletion: empty a namespace that is going, say what remains, then let it go."""
