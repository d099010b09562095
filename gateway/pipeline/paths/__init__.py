"""How one target is asked: by bytes as they come, by events, for things, for sound."""
