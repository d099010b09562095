"""The processes of one gateway as one: what is run once, and what each tells the others."""
