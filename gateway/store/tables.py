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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

SCHEMA_VERSION: Final = 6
"""Raised whenever a table changes."""

OLDEST_SCHEMA_VERSION: Final = 1
"""Databases from this version on are brought up to date when they are opened."""


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
    Column("mos_min", Float),
    Column("mos_mean", Float),
    Column("tier_changes", Integer, nullable=False, server_default="0"),
    Column("response_detection_p50_ms", Float),
    Column("response_backend_p50_ms", Float),
    Column("response_gateway_p50_ms", Float),
    Column("response_playout_p50_ms", Float),
    Column("false_interruptions", Integer, nullable=False, server_default="0"),
    Column("agent_interruptions", Integer, nullable=False, server_default="0"),
    Column("silences", Integer, nullable=False, server_default="0"),
    Column("silence_ms", Float, nullable=False, server_default="0"),
    Column("trunk", String(63)),
    Column("headers", JSON(none_as_null=True)),
)
"""One row per call, one column per field of `CallRecord` except those of `CallRecord.APART`."""

timelines = Table(
    "timelines",
    metadata,
    Column("call_id", String(64), ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("events", JSON, nullable=False),
    Column("quality", JSON),
)
"""A call's timeline: a list of [at_ms, kind, fields]; and its line's quality: a list of the fields of
`QualityPoint`, in their order."""

ADDED_COLUMNS: Final = (
    (3, calls.c.mos_min),
    (3, calls.c.mos_mean),
    (3, calls.c.tier_changes),
    (3, timelines.c.quality),
    (4, calls.c.response_detection_p50_ms),
    (4, calls.c.response_backend_p50_ms),
    (4, calls.c.response_gateway_p50_ms),
    (4, calls.c.response_playout_p50_ms),
    (4, calls.c.false_interruptions),
    (4, calls.c.agent_interruptions),
    (4, calls.c.silences),
    (4, calls.c.silence_ms),
    (5, calls.c.trunk),
    (5, calls.c.headers),
)
"""Columns of tables that are older than they: (version that has them first, column)."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)
"""Keys of the HTTP API; of a key itself only its digest."""

client_secrets = Table(
    "client_secrets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("target", Text, nullable=False),
    Column("instructions", Text, nullable=False),
    Column("created_by", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime),
    Column("call_id", String(64), nullable=False),
    Column("revoked_at", UtcDateTime),
)
"""Short-lived secrets for one WebRTC call each; of a secret itself only its digest."""

webhook_outbox = Table(
    "webhook_outbox",
    metadata,
    Column("receiver", String(64), primary_key=True),
    Column("message_id", String(64), primary_key=True),
    Column("event", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
"""Messages to receivers of webhooks that have not arrived; of a receiver's address only a digest."""

person_sessions = Table(
    "person_sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("id", String(32), nullable=False),
    Column("user", String(64), nullable=False),
    Column("proof", String(64), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
"""Sign-ins of people: a digest of the token, and proof that the password is still the one they gave."""
