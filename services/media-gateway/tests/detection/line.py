"""A telephone line for the detection tests: clips, synthetic tones, noise and packet loss as lists of 20 ms frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import yaml
from numpy.typing import NDArray

from media_gateway.rtp import g711
from media_gateway.rtp.codec import Codec
from media_gateway.rtp.jitter import JitterBuffer
from media_gateway.rtp.packet import RtpPacket

CLIPS = Path(__file__).parents[4] / "sim" / "audio"
RATE_HZ = 8_000
Samples = NDArray[np.int16]


def clips(role: str) -> list[str]:
    """File names of a role of the simulated world."""
    manifest = yaml.safe_load((CLIPS / "clips.yaml").read_text(encoding="utf-8"))
    return [cast(str, row["file"]) for row in manifest["roles"][role]]


def beep_ms(name: str) -> int:
    """Length of the beep that ends a clip, 0 without one."""
    manifest = yaml.safe_load((CLIPS / "clips.yaml").read_text(encoding="utf-8"))
    return next(cast(int, row["beep_ms"]) for rows in manifest["roles"].values() for row in rows if row["file"] == name)


def clip(name: str) -> Samples:
    return g711.decode(Codec.PCMU, (CLIPS / name).read_bytes())


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE_HZ), dtype=np.int16)


def tone(seconds: float, *hz: float, level_dbov: float = -18.0) -> Samples:
    """Lines of equal level, together at `level_dbov`."""
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    amplitude = 32_768 * 10 ** (level_dbov / 20) * np.sqrt(2 / len(hz))
    return cast(Samples, (amplitude * sum(np.sin(2 * np.pi * f * time) for f in hz)).astype(np.int16))


def cadence(*bursts: tuple[float, float], hz: Sequence[float], repeat: int = 4) -> Samples:
    """(on, off) seconds, repeated."""
    return np.concatenate([part for on, off in bursts for part in (tone(on, *hz), silence(off))] * repeat)


def noisy(samples: Samples, level_dbov: float, seed: int = 1) -> Samples:
    noise = np.random.default_rng(seed).normal(0.0, 32_768 * 10 ** (level_dbov / 20), len(samples))
    return np.clip(samples + noise, -32_768, 32_767).astype(np.int16)


def frames(samples: Samples) -> list[Samples]:
    return list(samples[: len(samples) // 160 * 160].reshape(-1, 160))


def lossy(samples: Samples, *, every: int, offset: int = 3) -> list[Samples]:
    """The frames as the jitter buffer gives them when every n-th packet is lost: 2 % = 50, 5 % = 20."""
    buffer, out = JitterBuffer(), []
    for n, frame in enumerate(frames(samples)):
        packet = RtpPacket(
            payload_type=0, sequence=n, timestamp=n * 160, ssrc=1, payload=g711.encode(Codec.PCMU, frame)
        )
        if n % every != offset:
            buffer.push(packet, Codec.PCMU)
        if (heard := buffer.pop()) is not None:
            out.append(heard)
    return out
