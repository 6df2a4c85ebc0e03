import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.core.audio import PcmFormat
from gateway.softphone.recording import RecordingError, StereoRecorder, cut_frames, read_wav, tone

FORMAT = PcmFormat(8000)


def write(path: Path, rate: int, channels: int, width: int) -> Path:
    with wave.open(str(path), "wb") as wav:
        wav.setparams((channels, width, rate, 0, "NONE", ""))
        wav.writeframes(bytes(range(12)))
    return path


def test_a_fitting_wav_comes_back_bit_by_bit(tmp_path: Path) -> None:
    assert read_wav(write(tmp_path / "a.wav", 8000, 1, 2), FORMAT) == bytes(range(12))


@pytest.mark.parametrize(("rate", "channels", "width"), [(16000, 1, 2), (8000, 2, 2), (8000, 1, 1)])
def test_another_format_is_refused_with_both(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    with pytest.raises(RecordingError, match=rf"expected 8000 Hz mono 16-bit, found {rate} Hz, {channels}"):
        read_wav(write(tmp_path / "a.wav", rate, channels, width), FORMAT)


def test_what_is_no_wav_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"rubbish")
    with pytest.raises(RecordingError, match=r"b\.wav"):
        read_wav(tmp_path / "b.wav", FORMAT)
    with pytest.raises(RecordingError, match=r"missing\.wav"):
        read_wav(tmp_path / "missing.wav", FORMAT)


def test_the_last_frame_is_filled_up() -> None:
    frames = cut_frames(b"\x01" * 500, FORMAT)
    assert [len(f) for f in frames] == [320, 320]
    assert frames[1] == b"\x01" * 180 + bytes(140)


def test_a_tone_has_its_frequency_and_level() -> None:
    samples = np.frombuffer(tone(1000, 500, FORMAT), dtype="<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    assert samples.size == 4000
    assert np.argmax(spectrum) * 8000 / samples.size == pytest.approx(1000, abs=4)
    assert np.abs(samples).max() == pytest.approx(0.25 * 32767, rel=0.01)


def test_a_recording_has_the_far_end_left_and_the_phone_right(tmp_path: Path) -> None:
    recorder = StereoRecorder(FORMAT, limit_s=0.04)
    recorder.add(b"\x01\x00" * 160, None)
    recorder.add(None, b"\x02\x00" * 160)
    recorder.add(b"\x03\x00" * 160, None)
    recorder.write(tmp_path / "r.wav")
    with wave.open(str(tmp_path / "r.wav"), "rb") as wav:
        assert (wav.getnchannels(), wav.getframerate(), wav.getnframes()) == (2, 8000, 320)
        samples = np.frombuffer(wav.readframes(320), dtype="<i2").reshape(-1, 2)
    assert samples[:, 0].tolist() == [1] * 160 + [0] * 160
    assert samples[:, 1].tolist() == [0] * 160 + [2] * 160
