"""Everything callees and agents play, as mu-law bytes at 8 kHz: clips by role, and synthesised tones.

Clips come from `audio/clips.yaml` beside the package (roles -> files). `synthetic()` makes speech-like noise instead,
for tests and for machines without the clips.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from outdial_sim.wire.g711 import ulaw_encode
from outdial_sim.wire.rtp import SAMPLE_RATE

CLIPS_FILE = Path(__file__).parent.parent / "audio" / "clips.yaml"
ROOM_NOISE_AMPLITUDE = 40
RINGBACK_HZ = (440.0, 480.0)
SIT_HZ = (913.8, 1370.6, 1776.7)
SIT_SECONDS = (0.38, 0.274, 0.38)
Wave = NDArray[np.float64]


class VoicesError(ValueError):
    """clips.yaml or one of its files cannot be used; the text names the role."""


class Role(StrEnum):
    """What a clip is for."""

    HUMAN_GREETING = "human_greeting"
    VOICEMAIL_GREETING = "voicemail_greeting"
    HUMAN_FILLER = "human_filler"
    AGENT_SPEECH = "agent_speech"
    INTERCEPT = "intercept_announcement"


ALIASES = {"human_conversation": Role.HUMAN_FILLER, "carrier_intercept": Role.INTERCEPT}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """mu-law audio; speech is bytes [start, end), outside are the clip's own tones (SIT before, beep after)."""

    audio: bytes
    speech_start: int
    speech_end: int

    @property
    def has_beep(self) -> bool:
        """Whether more than half a second follows the speech: the clip brings its own beep."""
        return len(self.audio) - self.speech_end > SAMPLE_RATE // 2

    @property
    def has_lead(self) -> bool:
        """Whether more than half a second precedes the speech: the clip brings its own SIT."""
        return self.speech_start > SAMPLE_RATE // 2


@dataclass(frozen=True)
class Voices:
    """Clips of every role, plus the quiet noise of a room that every open line carries, whoever is on it."""

    clips: dict[Role, tuple[Clip, ...]]
    room: bytes

    def pick(self, role: Role, fraction: float) -> Clip:
        """The clip at `fraction` (0 <= f < 1) of a role's list."""
        clips = self.clips[role]
        return clips[int(fraction * len(clips))]


def load(path: Path = CLIPS_FILE) -> Voices:
    """Read the clips of every role. Raises VoicesError when a role or a file is missing."""
    if not path.is_file():
        raise VoicesError("clips.yaml is missing: run with --audio synthetic, or make the clips")
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    roles = document.get("roles") if isinstance(document, dict) else None
    if not isinstance(roles, dict) or document.get("encoding") != "mulaw":
        raise VoicesError("clips.yaml must have encoding: mulaw and roles")
    named = {ALIASES.get(name, name): entries for name, entries in roles.items()}
    missing = [role for role in Role if not named.get(role)]
    if missing:
        raise VoicesError(f"clips.yaml lacks the role {missing[0]}")
    clips = {role: tuple(_read(path.parent, entry, role) for entry in named[role]) for role in Role}
    return Voices(clips, room_noise())


def synthetic() -> Voices:
    """Speech-like noise of plausible lengths for every role; always the same."""
    seconds = {
        Role.HUMAN_GREETING: (0.6, 0.9, 1.3),
        Role.VOICEMAIL_GREETING: (5.0, 5.5),
        Role.HUMAN_FILLER: (1.2, 2.0),
        Role.AGENT_SPEECH: (3.0, 4.0),
        Role.INTERCEPT: (2.5,),
    }
    clips = {
        role: tuple(_whole(speech_like(length, seed=place * 10 + index)) for index, length in enumerate(lengths))
        for place, (role, lengths) in enumerate(seconds.items())
    }
    return Voices(clips, room_noise())


def speech_like(seconds: float, *, seed: int) -> bytes:
    """Noise around 300 to 1500 Hz whose level moves like syllables (4 per second), peak about -12 dBov."""
    random = np.random.default_rng(seed)
    count = int(seconds * SAMPLE_RATE)
    time = _time(seconds)
    noise = np.convolve(random.standard_normal(count), np.hanning(8), mode="same")
    syllables = 0.15 + np.abs(np.sin(2 * math.pi * 2.0 * time + random.uniform(0, 1)))
    wave = noise * syllables
    return _encode(wave / np.abs(wave).max() * 0.6)


def room_noise() -> bytes:
    """Two seconds of quiet noise at about -65 dBov: not digital silence, not speech."""
    noise = np.random.default_rng(1).uniform(-ROOM_NOISE_AMPLITUDE, ROOM_NOISE_AMPLITUDE, 2 * SAMPLE_RATE)
    return ulaw_encode(noise.astype(np.int16))


def beep(hertz: float) -> bytes:
    """The beep of an answering machine: 0.4 s of one tone after 0.4 s of silence."""
    return _encode(np.zeros(int(0.4 * SAMPLE_RATE))) + _encode(0.3 * _tone((hertz,), 0.4))


def ringback() -> bytes:
    """One period of North American ringback: 2 s of 440 + 480 Hz, 4 s of silence."""
    return _encode(0.15 * _tone(RINGBACK_HZ, 2.0)) + _encode(np.zeros(4 * SAMPLE_RATE))


def special_information_tones() -> bytes:
    """The three rising tones before an intercept (ITU-T E.180, GR-674) and a short pause."""
    tones = [0.3 * _tone((hertz,), seconds) for hertz, seconds in zip(SIT_HZ, SIT_SECONDS, strict=True)]
    return _encode(np.concatenate([*tones, np.zeros(int(0.2 * SAMPLE_RATE))]))


def _read(folder: Path, entry: object, role: Role) -> Clip:
    values: dict[str, Any] = entry if isinstance(entry, dict) else {"file": entry}
    file = folder / str(values.get("file"))
    if file.suffix != ".ulaw" or not file.is_file():
        raise VoicesError(f"a clip of the role {role} is not a .ulaw file that exists")
    audio = file.read_bytes()
    speech = int(values.get("speech_ms", 0)) * SAMPLE_RATE // 1000 or len(audio)
    if role is Role.INTERCEPT:
        return Clip(audio=audio, speech_start=max(0, len(audio) - speech), speech_end=len(audio))
    return Clip(audio=audio, speech_start=0, speech_end=min(speech, len(audio)))


def _whole(audio: bytes) -> Clip:
    return Clip(audio=audio, speech_start=0, speech_end=len(audio))


def _time(seconds: float) -> Wave:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _tone(hertz: tuple[float, ...], seconds: float) -> Wave:
    time = _time(seconds)
    waves: list[Wave] = [np.sin(2 * math.pi * tone * time) for tone in hertz]
    mean: Wave = np.stack(waves).mean(axis=0)
    return mean


def _encode(wave: Wave) -> bytes:
    return ulaw_encode((wave * 32000).astype(np.int16))
