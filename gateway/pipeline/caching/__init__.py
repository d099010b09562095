"""Answers that serve more than one call: kept, or shared while they are made."""
