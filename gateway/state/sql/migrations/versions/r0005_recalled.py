"""Note in each call what the cache did for it, and whose generation it shared."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what is new."""
    for name in ("cache", "shared_with"):
        op.add_column("calls", sa.Column(name, sa.Text, nullable=False, server_default=""))
