"""Note how often the keys were changed."""

import sqlalchemy as sa
from alembic import op

from gateway.state.sql.noting import note_changes

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add what is new."""
    op.create_table(
        "versions",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    note_changes(op.get_bind())
