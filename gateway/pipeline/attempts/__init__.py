"""Asking targets until one answers: in turn, or two at once."""
