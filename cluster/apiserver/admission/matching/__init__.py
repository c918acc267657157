"""Which requests a webhook or an admission policy is about, and what it is shown of them."""
