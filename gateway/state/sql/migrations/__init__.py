"""How the tables came to be; alembic runs `env.py` and what `versions` holds."""
