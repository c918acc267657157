"""The back end `mesh`: nodes find each other by gossip, and relay around links that are cut.

Every node is every other's neighbour, unless the wire between them fails. Each tells all others
who it is and whom it cannot hear (its *report*); of all reports each makes the same map, and sends
what it cannot send directly to a node that can. Relays route: a packet loses a hop there.

- `reports`: what a node says of itself; `messages`: how that travels.
- `topology`: shortest ways over the map, pure.
- `links`: who of the neighbours is heard.
- `machine`: all of it, with timers.
"""
