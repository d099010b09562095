"""`server.workers` over 1: several processes on one machine that behave as one."""
