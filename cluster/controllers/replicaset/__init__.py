"""ReplicaSets: keep as many pods as asked for. Ranking and status are pure; the shell acts."""
