"""Structured logs: one event name, fields, and personal data only under the key `personal`.

    log = get_logger()
    log.info("call answered", call_id=call_id, personal={"from": number})

The event name and all other fields must never hold numbers, addresses, transcripts or secrets.
"""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger


def get_logger() -> FilteringBoundLogger:
    """The process's logger; bind what stays the same (`call_id`, `card`) once."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def _drop_personal(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("personal", None)
    return event


def configure_logging(
    process: str,
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["json", "console", "auto"] = "auto",
    personal: Literal["keep", "drop"] = "keep",
) -> None:
    """Set up logging of this process on standard error; `process` is in every line."""
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if personal == "drop":
        processors.append(_drop_personal)
    if console:
        # Tracebacks without local variables, which may hold personal data and secrets.
        processors.append(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )
    else:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        processors += [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        # One write per line: several processes share the stream.
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
