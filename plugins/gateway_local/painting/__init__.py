"""A procedural painter: prompts in, drawn pictures out; numpy and Pillow only, no model.

Imported only inside the engine's worker process.
"""
