"""What the card itself says on the data channel, for nobody else knows it in time. Pure."""

import json
from secrets import token_hex
from typing import Final

PLAYOUT_STOPPED: Final = "gateway.playout.stopped"


def playout_stopped(rtp_timestamp: int) -> str:
    """An event: sound in packets with an earlier RTP timestamp need not be heard any more.

    The caller has begun to speak, and a browser holds back 40 to 80 ms of what we said before. Pages that
    don't know the event play on to its end.
    """
    return json.dumps(
        {
            "type": PLAYOUT_STOPPED,
            "event_id": f"event_{token_hex(10)}",
            "rtp_timestamp": rtp_timestamp & 0xFFFFFFFF,
        }
    )
