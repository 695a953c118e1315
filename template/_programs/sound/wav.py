"""Sound files: reading, resampling, writing; and a spectrogram as a picture."""

import struct
import wave
import zlib
from pathlib import Path

import torch
from torch import Tensor


def read_wav(path: str | Path, sample_rate: int) -> Tensor:
    """A WAV file mixed to one channel at a sampling rate, (samples,) in [-1, 1]."""
    return read_channels(path, sample_rate).mean(dim=0)


def read_channels(path: str | Path, sample_rate: int) -> Tensor:
    """A WAV file at a sampling rate, (channels, samples) in [-1, 1].

    Raises `ValueError` for files that are not PCM of 8, 16, 24 or 32 bits.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: not a PCM WAV file: {error}") from error
    whole = len(data) // (width * channels) * width * channels  # a file may be cut anywhere
    if not whole:
        raise ValueError(f"{path}: no sound in this file")
    raw = torch.frombuffer(bytearray(data[:whole]), dtype=torch.uint8).view(-1, width)
    octets = raw.to(torch.int64)  # (samples * channels, bytes), low byte first
    value = (octets << (8 * torch.arange(width))).sum(dim=1)
    if width == 1:
        value = value - 128  # eight bits are unsigned
    else:
        value = value - ((value >> (8 * width - 1)) << (8 * width))
    sound = (value / 2 ** (8 * width - 1)).view(-1, channels).T
    return resample(sound, rate, sample_rate)


def resample(sound: Tensor, rate: int, wanted: int) -> Tensor:
    """(..., samples) at another sampling rate, by cutting or padding its spectrum."""
    if rate == wanted:
        return sound
    before = sound.size(-1)
    after = max(1, round(before * wanted / rate))
    spectrum = torch.fft.rfft(sound)[..., : after // 2 + 1]
    return torch.fft.irfft(spectrum, after) * (after / before)


def write_wav(path: str | Path, samples: Tensor, sample_rate: int) -> None:
    """Write (samples,) or (channels, samples) in [-1, 1] as 16-bit PCM."""
    channels = samples.size(0) if samples.dim() > 1 else 1
    values = (samples.detach().cpu().clamp(-1, 1) * 32767).round().to(torch.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(values.view(channels, -1).T.numpy().astype("<i2").tobytes())


def write_spectrogram(path: str | Path, spectrogram: Tensor, scale: int = 4) -> None:
    """Write a (bins, frames) spectrogram as a grey PNG, low frequencies at the bottom."""
    low, high = spectrogram.amin(), spectrogram.amax()
    grey = ((spectrogram - low) / (high - low).clamp(min=1e-6) * 255).round().to(torch.uint8)
    grey = grey.flip(0).repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    height, width = grey.shape
    lines = b"".join(b"\0" + bytes(row) for row in grey.tolist())

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + body)
