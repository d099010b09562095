"""What can be seen in a picture without a model that knows objects: its size, colours and text.

Imported only inside the engine's worker process.
"""
