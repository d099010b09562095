"""Begin: the windows of callers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Add what is new."""
    op.create_table(
        "windows",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("period_s", sa.Integer, primary_key=True),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_windows_ends_at", "windows", ["ends_at"])
