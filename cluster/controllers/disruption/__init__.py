"""How many pods of each PodDisruptionBudget may be evicted now: what the eviction API goes by."""
