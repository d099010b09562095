"""How targets are, by what calls met there."""
