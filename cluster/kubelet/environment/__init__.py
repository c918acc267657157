"""What a container is told of its surroundings: variables, names, hosts, resolvers. Pure."""
