"""A PostgreSQL server that tests break, and how."""

from dataclasses import dataclass

from tests.postgres import PASSWORD, PostgresServer, statement

USER = "gateway"


@dataclass
class Faulty:
    """A database of a server that a test may break; `url` is what its gateway is given."""

    server: PostgresServer
    admin_url: str
    url: str

    def sql(self, *texts: str) -> None:
        """Do statements as the server's administrator."""
        for text in texts:
            statement(self.admin_url, text)

    def cut(self) -> None:
        """Cut every connection of the gateway."""
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'")  # noqa: S608


def deny(faulty: Faulty) -> None:
    """Take away what the tables' owner may."""
    faulty.sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {USER}")


def allow(faulty: Faulty) -> None:
    """Give it back."""
    faulty.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {USER}")


def deny_writing(faulty: Faulty) -> None:
    """Let the tables be read, and no count be written."""
    faulty.sql(f"REVOKE INSERT, UPDATE, DELETE ON windows FROM {USER}")


def change_password(faulty: Faulty) -> None:
    """Let the user have another password, and begin anew."""
    faulty.sql(f"ALTER ROLE {USER} PASSWORD 'another'")
    faulty.cut()


def restore_password(faulty: Faulty) -> None:
    """Let the user have the old one."""
    faulty.sql(f"ALTER ROLE {USER} PASSWORD '{PASSWORD}'")


def fill(faulty: Faulty) -> None:
    """Let the user have no connection."""
    faulty.sql(f"ALTER ROLE {USER} CONNECTION LIMIT 0")
    faulty.cut()


def empty(faulty: Faulty) -> None:
    """Let the user have as many as it likes."""
    faulty.sql(f"ALTER ROLE {USER} CONNECTION LIMIT -1")
