"""The canonical meaning of requests and answers: plain data, no I/O."""
