"""SIPp as the far end: scenarios put together from steps, run against a card."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HEADERS = """Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: "Ann" <sip:ann@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:gw@[remote_ip]:[remote_port]>{to_tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:ann@[local_ip]:[local_port]>
Max-Forwards: 70
{extra}"""

PCMU = "0", ("0 PCMU/8000",)
UNKNOWN_CODEC = "96", ("96 opus/48000/2",)


def sdp(
    codecs: tuple[str, tuple[str, ...]] = PCMU, direction: str = "sendrecv", port: str = "[media_port]"
) -> str:
    """An audio offer or answer."""
    formats, maps = codecs
    return "\n".join(
        [
            "v=0",
            "o=ann 1 1 IN IP4 [local_ip]",
            "s=-",
            "c=IN IP4 [media_ip]",
            "t=0 0",
            f"m=audio {port} RTP/AVP {formats}",
            *(f"a=rtpmap:{m}" for m in maps),
            "a=ptime:20",
            f"a={direction}",
        ]
    )


def send(
    method: str,
    cseq: int = 1,
    *,
    body: str = "",
    content_type: str = "application/sdp",
    headers: tuple[str, ...] = (),
    in_dialog: bool = True,
    cseq_method: str | None = None,
    retransmit: bool = True,
) -> str:
    """Send a request."""
    extra = list(headers)
    if body:
        extra.append(f"Content-Type: {content_type}")
    extra.append("Content-Length: [len]")
    target = "[next_url]" if in_dialog and method not in ("CANCEL",) else "sip:gw@[remote_ip]:[remote_port]"
    text = _HEADERS.format(
        to_tag="[peer_tag_param]" if in_dialog and method != "CANCEL" else "",
        cseq=cseq,
        method=cseq_method or method,
        extra="\n".join(extra),
    )
    timer = ' retrans="500"' if retransmit and method not in ("ACK",) else ""
    return f"<send{timer}><![CDATA[\n{method} {target} SIP/2.0\n{text}\n\n{body}\n]]></send>"


def receive(status: int, *, optional: bool = False, expect: str = "") -> str:
    """Wait for a response; `expect` is a regular expression that it must match."""
    flag = ' optional="true"' if optional else ""
    check = ""
    if expect:
        check = f'<action><ereg regexp="{expect}" search_in="msg" check_it="true" assign_to="1"/></action>'
    routes = ' rrs="true"' if status == 200 else ""
    return f'<recv response="{status}"{flag}{routes}>{check}</recv>'


def ack_refusal() -> str:
    """The ACK of a final response that is no 2xx (RFC 3261 §17.1.1.3)."""
    text = _HEADERS.format(to_tag="[peer_tag_param]", cseq=1, method="ACK", extra="Content-Length: 0")
    text = text.replace(text.splitlines()[0], "[last_Via:]")
    return f"<send><![CDATA[\nACK sip:gw@[remote_ip]:[remote_port] SIP/2.0\n{text}\n\n]]></send>"


def receive_request(method: str) -> str:
    """Wait for a request of the card and answer it with 200."""
    reply = (
        "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n"
        "[last_CSeq:]\nContent-Length: 0\n\n]]></send>"
    )
    return f'<recv request="{method}"/>{reply}'


def pause(milliseconds: int) -> str:
    """Do nothing for a while."""
    return f'<pause milliseconds="{milliseconds}"/>'


def invite(body: str, cseq: int = 1, *, in_dialog: bool = False, headers: tuple[str, ...] = ()) -> str:
    """An INVITE and whatever provisional responses come."""
    request = send("INVITE", cseq, body=body, in_dialog=in_dialog, headers=headers)
    return request + receive(100, optional=True) + receive(180, optional=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How SIPp ended."""

    status: int
    output: str


async def run_sipp(
    card_port: int, steps: list[str], *, calls: int = 1, rate: int = 10, limit: int = 4
) -> Outcome:
    """Run a scenario; exit status 0 means that every call went as written."""
    directory = Path(tempfile.mkdtemp(prefix="sipp", dir="/tmp"))
    body = "\n".join(steps)
    reference = '<Reference variables="1"/>' if 'assign_to="1"' in body else ""
    scenario = directory / "s.xml"
    scenario.write_text(
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="s">\n{body}\n{reference}</scenario>\n'
    )
    try:
        process = await asyncio.create_subprocess_exec(
            "sipp",
            *("-sf", str(scenario), "-m", str(calls), "-r", str(rate), "-l", str(limit), "-nostdin"),
            *("-i", "127.0.0.1", "-timeout", "60", "-timeout_error", "-trace_err", f"127.0.0.1:{card_port}"),
            cwd=directory,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        errors = "".join(p.read_text(errors="replace") for p in directory.glob("*errors.log"))
        return Outcome(process.returncode or 0, output.decode(errors="replace")[-300:] + errors)
    finally:
        shutil.rmtree(directory)
