"""Floor 3: Binds pods to nodes. The framework and its plugins are pure; a thin shell feeds them
events and sends bindings.
"""
