"""The only door to pjsua2: a single-threaded endpoint, its media clock, PCM ports and calls, typed.

Everything happens in the thread that creates the `Endpoint`: callbacks come from inside
`handle_events` and `tick`. Cards and softphones build on this; nothing here knows of either.
What aborts or corrupts the process, and how that is avoided, is in README.md beside this package.
"""

from gateway.cards.sip.pjsip.call import SipCall
from gateway.cards.sip.pjsip.endpoint import MAX_CALLS, Endpoint, IncomingHandler
from gateway.cards.sip.pjsip.port import PcmPort

__all__ = ["MAX_CALLS", "Endpoint", "IncomingHandler", "PcmPort", "SipCall"]
