"""Pods that wait to be scheduled: active, backing off, unschedulable, gated; and in flight."""
