"""State in a database, by SQLAlchemy Core; imported only when `state.url` asks for one."""
