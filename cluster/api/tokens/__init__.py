"""Service account tokens: their keys, their claims, their signatures. Pure.

The API server issues and verifies them, the controller manager puts them into secrets.
"""
