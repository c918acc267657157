"""Floor 1: packets, not pods. Codecs (`wire`), machines without I/O (`stack`), the edge (`io`)."""
