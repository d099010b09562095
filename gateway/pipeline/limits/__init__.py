"""How much a caller may use: its plan, its windows, its budget."""
