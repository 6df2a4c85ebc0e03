"""The tables of the call database. Portable SQL types: SQLite today, PostgreSQL for several nodes."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

SCHEMA_VERSION: Final = 1
"""Raised whenever a table changes."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which knows no time zones, gets it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive times: nobody could tell later what they meant."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

schema = Table(
    "schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

calls = Table(
    "calls",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("node", String(63), nullable=False),
    Column("sip_call_id", Text, nullable=False),
    Column("direction", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("from_number", Text, nullable=False),
    Column("to_number", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("codec", String(32), nullable=False),
    Column("started_at", UtcDateTime, nullable=False, index=True),
    Column("answered_at", UtcDateTime),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("billable_s", Float, nullable=False),
    Column("result", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("sip_status", Integer, nullable=False),
    Column("setup_ms", Float),
    Column("first_utterance_ms", Float),
    Column("response_delay_p50_ms", Float),
    Column("response_delay_max_ms", Float),
    Column("turns", Integer, nullable=False),
    Column("barge_ins", Integer, nullable=False),
    Column("barge_in_stop_p50_ms", Float),
    Column("rx_packets", Integer, nullable=False),
    Column("rx_lost", Integer, nullable=False),
    Column("rx_jitter_ms", Float),
    Column("tx_lost", Integer),
    Column("rtt_ms", Float),
    Column("underruns", Integer, nullable=False),
    Column("playout_dropped_ms", Float, nullable=False),
    Column("uplink_dropped_ms", Float, nullable=False),
    Column("cards", JSON, nullable=False),
    Column("recovered", Integer, nullable=False),
    Column("reconnects", Integer, nullable=False),
)
"""One row per call, one column per field of `CallRecord` except the timeline."""

timelines = Table(
    "timelines",
    metadata,
    Column("call_id", String(64), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("events", JSON, nullable=False),
)
"""A call's timeline: a list of [at_ms, kind, fields]."""
