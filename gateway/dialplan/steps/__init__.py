"""The steps of the language: one file each, and its line here."""

from collections.abc import Mapping
from typing import Final

from gateway.dialplan.step import Step
from gateway.dialplan.steps.ai import AiStep
from gateway.dialplan.steps.answer import AnswerStep
from gateway.dialplan.steps.bridge import BridgeStep
from gateway.dialplan.steps.callback import CallbackStep
from gateway.dialplan.steps.gather import GatherStep
from gateway.dialplan.steps.goto import GotoStep
from gateway.dialplan.steps.hangup import HangupStep
from gateway.dialplan.steps.http import HttpStep
from gateway.dialplan.steps.play import PlayStep
from gateway.dialplan.steps.queue import QueueStep
from gateway.dialplan.steps.record import RecordStep
from gateway.dialplan.steps.reject import RejectStep
from gateway.dialplan.steps.ring import RingStep
from gateway.dialplan.steps.say import SayStep
from gateway.dialplan.steps.send_dtmf import SendDtmfStep
from gateway.dialplan.steps.set import SetStep
from gateway.dialplan.steps.transfer import TransferStep
from gateway.dialplan.steps.voicemail import VoicemailStep
from gateway.dialplan.steps.wait import WaitStep
from gateway.dialplan.steps.webhook import WebhookStep

_ALL: Final[tuple[type[Step], ...]] = (
    AnswerStep,
    RingStep,
    PlayStep,
    SayStep,
    GatherStep,
    AiStep,
    TransferStep,
    BridgeStep,
    CallbackStep,
    QueueStep,
    RecordStep,
    VoicemailStep,
    SendDtmfStep,
    SetStep,
    HttpStep,
    WebhookStep,
    WaitStep,
    GotoStep,
    RejectStep,
    HangupStep,
)

STEPS: Final[Mapping[str, type[Step]]] = {step.word: step for step in _ALL}
"""Every step by its word."""
