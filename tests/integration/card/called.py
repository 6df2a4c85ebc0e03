"""SIPp as the one who is called: takes the card's INVITE and does what a scenario says."""

import asyncio
import contextlib
import hashlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from tests.integration.card.sipp import PCMU, Outcome, sdp
from tests.integration.processes import free_sip_port

_COPIED = "[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]"
_TAG = ";tag=callee[call_number]"


def receive(method: str, *, expect: str = "", keep_routes: bool = False) -> str:
    """Wait for a request; `expect` is a regular expression that it must match."""
    check = f'<action><ereg regexp="{expect}" search_in="msg" check_it="true" assign_to="1"/></action>'
    routes = ' rrs="true"' if keep_routes else ""
    return f'<recv request="{method}"{routes}>{check if expect else ""}</recv>'


def receive_status(status: int) -> str:
    """Wait for a response."""
    return f'<recv response="{status}"/>'


def respond(
    status: int, reason: str, *, body: str = "", headers: tuple[str, ...] = (), tag: bool = True
) -> str:
    """Answer the last request."""
    lines = [f"SIP/2.0 {status} {reason}", _COPIED.format(tag=_TAG if tag else "")]
    lines += headers or ["Contact: <sip:callee@[local_ip]:[local_port]>"]
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append("Content-Length: [len]")
    return "<send><![CDATA[\n" + "\n".join(lines) + f"\n\n{body}\n]]></send>"


def request(
    method: str, cseq: int, *, headers: tuple[str, ...] = (), body: str = "", content_type: str = ""
) -> str:
    """A request of ours within the dialog; `invited` has stored who is who."""
    lines = [f"{method} [next_url] SIP/2.0", "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]"]
    lines += ["[routes]", "From: [$local]", "To: [$remote]", "Call-ID: [call_id]"]
    lines += [f"CSeq: {cseq} {method}", "Contact: <sip:callee@[local_ip]:[local_port]>"]
    lines += ["Max-Forwards: 70", *headers]
    if body:
        lines.append(f"Content-Type: {content_type}")
    lines.append("Content-Length: [len]")
    return '<send retrans="500"><![CDATA[\n' + "\n".join(lines) + f"\n\n{body}\n]]></send>"


def invited(expect: str = "") -> str:
    """The INVITE; remembers who we are to each other."""
    actions = [
        '<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="number"/>',
        '<ereg regexp=".*" search_in="hdr" header="From:" assign_to="remote"/>',
        '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>',
        f'<assignstr assign_to="local" value="[$to]{_TAG}"/>',
    ]
    if expect:
        actions.append(f'<ereg regexp="{expect}" search_in="msg" check_it="true" assign_to="1"/>')
    return f'<recv request="INVITE" rrs="true"><action>{"".join(actions)}</action></recv>'


def answer(*, codecs: tuple[str, tuple[str, ...]] = PCMU) -> str:
    """200 with SDP, and its ACK."""
    return respond(200, "OK", body=sdp(codecs)) + receive("ACK")


def cancelled() -> str:
    """The card gives up before we answer."""
    refusal = respond(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: [$number] INVITE")
    return receive("CANCEL") + respond(200, "OK") + refusal + receive("ACK")


_REALM, _NONCE = "pbx", "47364c23"


def challenged(username: str, password: str) -> str:
    """Ask for a digest with 401, check it and take the call; a wrong one gets 403."""
    verify = f'<action><verifyauth assign_to="valid" username="{username}" password="{password}"/></action>'
    return (
        respond(401, "Unauthorized", headers=(f"WWW-Authenticate: {_challenge()}",))
        + receive("ACK")
        + f'<recv request="INVITE" rrs="true">{verify}</recv><nop next="1" test="valid"/>'
        + respond(403, "Forbidden")
        + receive("ACK")
        + '<nop next="2"/><label id="1"/>'
        + answer()
        + bye()
        + '<label id="2"/>'
    )


def challenged_by_proxy() -> str:
    """Ask for a digest with 407 and take the call; SIPp can't check that kind, `proxy_digest` does."""
    header = f"Proxy-Authenticate: {_challenge()}"
    again = '<recv request="INVITE" rrs="true"/>'
    return respond(407, "Who Are You", headers=(header,)) + receive("ACK") + again + answer() + bye()


def _challenge() -> str:
    return f'Digest realm="{_REALM}", nonce="{_NONCE}", algorithm=MD5, qop="auth"'


def proxy_digest(messages: str, username: str, password: str) -> tuple[str, str]:
    """The digest in an INVITE of a trace, and what it has to be (RFC 7616 §3.4.1)."""
    header = re.search(r"^Proxy-Authorization: Digest (.*?)\r?$", messages, re.MULTILINE)
    assert header is not None, messages
    given = {
        key: plain or quoted for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\w+))', header[1])
    }

    def digest(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode()).hexdigest()

    secret = digest(username, _REALM, password)
    request = digest("INVITE", given["uri"])
    return given["response"], digest(secret, _NONCE, given["nc"], given["cnonce"], "auth", request)


def bye() -> str:
    """We hang up."""
    return request("BYE", 700) + receive_status(200)


def taken_bye() -> str:
    """The card hangs up."""
    return receive("BYE") + respond(200, "OK", tag=False)


class Called:
    """SIPp that waits for calls; `await callee.outcome()` once all of them are over."""

    def __init__(self, port: int, directory: Path, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self.uri = f"sip:op1@127.0.0.1:{port}"
        self._directory, self._process = directory, process

    @property
    def pid(self) -> int:
        """SIPp's process."""
        return self._process.pid

    async def outcome(self) -> Outcome:
        """How it ended; status 0: every call went as written."""
        output, _ = await self._process.communicate()
        errors = "".join(p.read_text(errors="replace") for p in self._directory.glob("*errors.log"))
        return Outcome(self._process.returncode or 0, output.decode(errors="replace")[-300:] + errors)

    async def passed(self) -> None:
        """Fails unless every call went as written."""
        outcome = await self.outcome()
        assert outcome.status == 0, outcome.output + self.messages()

    def messages(self) -> str:
        """All SIP messages so far."""
        return "".join(p.read_text(errors="replace") for p in self._directory.glob("*messages.log"))


@contextlib.asynccontextmanager
async def called(*steps: str, calls: int = 1, port: int = 0, transport: str = "u1") -> AsyncIterator[Called]:
    """SIPp with a scenario, listening."""
    directory = Path(tempfile.mkdtemp(prefix="uas", dir="/tmp"))
    port = port or free_sip_port()
    body = "\n".join(steps)
    names = sorted(set(re.findall(r'assign_to="(\w+)"', body)))
    (directory / "s.xml").write_text(
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="s">\n{body}\n'
        + (f'<Reference variables="{",".join(names)}"/>' if names else "")
        + "</scenario>\n"
    )
    process = await asyncio.create_subprocess_exec(
        *("sipp", "-sf", "s.xml", "-m", str(calls), "-nostdin", "-i", "127.0.0.1", "-p", str(port)),
        *("-t", transport, "-timeout", "40", "-timeout_error", "-trace_err", "-trace_msg"),
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _listening(port, "tcp" if transport.startswith("t") else "udp")
        yield Called(port, directory, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        shutil.rmtree(directory)


async def _listening(port: int, transport: str) -> None:
    wanted = f":{port:04X} "

    def there() -> bool:
        return wanted in Path(f"/proc/net/{transport}").read_text()

    async def look() -> bool:
        return there()

    waiting = AsyncRetrying(
        stop=stop_after_delay(10), wait=wait_fixed(0.02), retry=retry_if_result(lambda found: not found)
    )
    await waiting(look)
