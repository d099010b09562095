"""What several processes share, on Valkey or Redis. Nobody imports this who has none."""
