"""Where calls get their prompts from: spoken sentences, sound files, and the gateway's own."""

from collections.abc import Mapping

from gateway.dialplan.runtime import Prompt, Say
from gateway.media.prompts import Prompts
from gateway.media.sounds import SoundFiles
from gateway.media.speech import Synthesiser


class CallSounds:
    """Implements `gateway.calls.parts.Sounds`."""

    def __init__(self, own: Mapping[int, Prompts], synthesiser: Synthesiser) -> None:
        """`own`: the gateway's own prompts by sample rate in Hz."""
        self._own = own
        self._synthesiser = synthesiser
        self._files = SoundFiles()

    async def pcm(self, prompt: Prompt, sample_rate_hz: int) -> bytes:
        """PCM of a prompt. Raises `SpeechError` and `SoundError`."""
        if isinstance(prompt, Say):
            own = self._own.get(sample_rate_hz)
            if own is not None and (known := own.spoken(prompt.text, prompt.language)) is not None:
                return known
            return await self._synthesiser.speak(prompt.text, prompt.language, sample_rate_hz)
        return await self._files.pcm(prompt.path, sample_rate_hz)

    def filler(self, language: str, sample_rate_hz: int) -> bytes:
        """What is said when something takes time."""
        return self._own[sample_rate_hz].pcm("please_wait", language)

    def apology(self, language: str, sample_rate_hz: int) -> bytes:
        """What is said when nothing else can be."""
        return self._own[sample_rate_hz].pcm("apology", language)
