"""What outlives a call: one protocol a need, and its keepers."""
