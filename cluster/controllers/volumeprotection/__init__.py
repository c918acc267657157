"""Claims and volumes that are marked for deletion stay while somebody uses them."""
