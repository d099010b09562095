"""Triggers that note each change of the keys, so that a look for changes reads one number.

A gateway looks twice a second. Triggers, because a key that somebody revokes with SQL is to end as
soon as one that `dynagate keys` revokes.
"""

from typing import Final

from sqlalchemy import Connection

_SQLITE: Final = tuple(
    f"CREATE TRIGGER keys_noted_{verb} AFTER {verb} ON keys BEGIN "  # noqa: S608 - three fixed words.
    "UPDATE versions SET version = version + 1 WHERE name = 'keys'; END"
    for verb in ("INSERT", "UPDATE", "DELETE")
)
# The schema by its name: whoever changes keys may have another search_path.
_FUNCTION: Final = """
CREATE FUNCTION note_keys() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format(
    'UPDATE %I.versions SET version = version + 1 WHERE name = ''keys''', TG_TABLE_SCHEMA
  );
  RETURN NULL;
END $$"""
_TRIGGER: Final = """
CREATE TRIGGER keys_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON keys
FOR EACH STATEMENT EXECUTE FUNCTION note_keys()"""


def note_changes(connection: Connection) -> None:
    """Count the changes of `keys` in `versions`. Revision 0004: a change of it is another one."""
    connection.exec_driver_sql("INSERT INTO versions (name, version) VALUES ('keys', 0)")
    is_postgres = connection.dialect.name == "postgresql"
    for statement in (_FUNCTION, _TRIGGER) if is_postgres else _SQLITE:
        connection.exec_driver_sql(statement)
