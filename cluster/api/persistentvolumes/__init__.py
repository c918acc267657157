"""Volumes and the claims for them: who is bound to whom, and which volume suits a claim. Pure.

The controller that binds and the scheduler that waits for it read the same rules here.
"""
