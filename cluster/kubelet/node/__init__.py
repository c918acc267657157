"""The Node object and its lease: what they say (pure), and the keeper that writes them."""
