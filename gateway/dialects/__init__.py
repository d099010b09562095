"""What callers speak: pure translation between their bytes and the canonical meaning, no I/O."""
