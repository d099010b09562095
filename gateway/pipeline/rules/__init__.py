"""What the configuration changes of a request or an answer, and what it lets pass."""
