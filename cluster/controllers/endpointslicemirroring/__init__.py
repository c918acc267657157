"""Slices that mirror Endpoints which users make for Services without a selector."""
