"""Which targets a call may go to, and in which order."""
