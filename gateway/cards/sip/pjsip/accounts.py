"""PJSIP's accounts: one for calls that come in, others for calls that we place.

A call that the gateway places does not offer SRTP: its key would be readable in the INVITE, which
would also be too long for one packet. PJSIP knows credentials of accounts, not of calls; it copies
them into the dialog when a call is made (`pjsua_call_make_call`), so that an account may be given
others while its calls live.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from gateway.cards.sip.border import callback
from gateway.cards.sip.pjsip.native import pj

_OUTGOING: Final = 4
"""PJSIP is compiled for 8 accounts."""

OnIncoming = Callable[[int, str, str], None]
"""Call index, message as received, source as address:port."""


class _Account(pj.Account):
    def __init__(self, on_incoming: OnIncoming) -> None:
        super().__init__()
        self._on_incoming = on_incoming

    def onIncomingCall(self, prm: Any) -> None:
        with callback("onIncomingCall"):
            received = prm.rdata
            self._on_incoming(int(prm.callId), str(received.wholeMsg), str(received.srcAddress))


class Accounts:
    """Accounts that differ in nothing but their credentials."""

    def __init__(self, config: Any, on_incoming: OnIncoming) -> None:
        """config: of the account for incoming calls."""
        self._config, self._on_incoming = config, on_incoming
        config.priority = 1  # PJSIP looks here first for whose call it is that comes in
        self.incoming: Any = self._create()
        """For calls that come in, and for phones, which call as they are called."""
        config.priority = 0
        config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_DISABLED
        self._outgoing: OrderedDict[tuple[str, str], _Account] = OrderedDict()

    def outgoing(self, username: str, password: str) -> Any:
        """For a call that we place: the account with these credentials, without any for an empty name."""
        key = username, password
        account = self._outgoing.pop(key, None)
        if account is None:
            account = self._make(username, password)
        self._outgoing[key] = account
        return account

    def _make(self, username: str, password: str) -> _Account:
        self._config.sipConfig.authCreds.clear()
        if username:
            self._config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", username, 0, password))
        try:
            if len(self._outgoing) < _OUTGOING:
                return self._create()
            _, account = self._outgoing.popitem(last=False)
            account.modify(self._config)
            return account
        finally:
            self._config.sipConfig.authCreds.clear()

    def _create(self) -> _Account:
        account = _Account(self._on_incoming)
        account.create(self._config)
        return account
