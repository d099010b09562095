"""Add the ledger: a row for each call."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_in_tokens",
    "audio_out_tokens",
    "images",
)


def upgrade() -> None:
    """Add what is new."""
    op.create_table(
        "calls",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("at", sa.Float, nullable=False, index=True),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTS),
        sa.Column("audio_s", sa.Float, nullable=False),
        sa.Column("is_estimated", sa.Boolean, nullable=False),
        sa.Column("cost_usd_micros", sa.BigInteger),
        sa.Column("price_version", sa.Text, nullable=False),
        sa.Column("queue_s", sa.Float),
        sa.Column("first_token_s", sa.Float),
        sa.Column("total_s", sa.Float, nullable=False),
        sa.Column("is_stream", sa.Boolean, nullable=False),
        sa.Column("is_aborted", sa.Boolean, nullable=False),
    )
    op.create_index("ix_calls_key_id_at", "calls", ["key_id", "at"])
