"""`kubemu image`: one file for each of its commands."""
