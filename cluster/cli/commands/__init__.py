"""Commands that work on whole clusters and their processes. One a file."""
