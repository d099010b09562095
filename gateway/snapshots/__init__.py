"""Loaded configurations: made, put in force one after another, and left when nobody uses them."""
