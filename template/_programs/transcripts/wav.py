"""Sound files: reading, resampling, writing."""

import wave
from pathlib import Path

import torch
from torch import Tensor


def read_wav(path: str | Path, sample_rate: int) -> Tensor:
    """A WAV file mixed to one channel at a sampling rate, (samples,) in [-1, 1].

    Raises `ValueError` for files that are not PCM of 8, 16, 24 or 32 bits.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            raw = torch.frombuffer(bytearray(file.readframes(file.getnframes())), dtype=torch.uint8)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: not a PCM WAV file: {error}") from error
    if not len(raw):
        raise ValueError(f"{path}: no sound in this file")
    octets = raw.view(-1, width).to(torch.int64)  # (samples * channels, bytes), low byte first
    value = (octets << (8 * torch.arange(width))).sum(dim=1)
    if width == 1:
        value = value - 128  # eight bits are unsigned
    else:
        value = value - ((value >> (8 * width - 1)) << (8 * width))
    mono = (value / 2 ** (8 * width - 1)).view(-1, channels).mean(dim=1)
    return resample(mono, rate, sample_rate)


def resample(wave_in: Tensor, rate: int, wanted: int) -> Tensor:
    """A waveform at another sampling rate, by cutting or padding its spectrum."""
    if rate == wanted:
        return wave_in
    samples = max(1, round(len(wave_in) * wanted / rate))
    spectrum = torch.fft.rfft(wave_in)
    return torch.fft.irfft(spectrum[: samples // 2 + 1], samples) * samples / len(wave_in)


def write_wav(path: str | Path, samples: Tensor, sample_rate: int) -> None:
    """Write (samples,) in [-1, 1] as 16-bit PCM."""
    values = (samples.clamp(-1, 1) * 32767).round().to(torch.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(values.numpy().astype("<i2").tobytes())
