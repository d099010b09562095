"""What a call was, and what it cost."""
