"""Makes the committed clips of the simulated world (raw mu-law, 8,000 Hz, mono) and their `clips.yaml`.

Needs the Debian packages espeak-ng (1.51) and sox (14.4) and is run only when a text changes; whoever runs the
simulation plays the committed files. File names are hashes of voice and text, because a file name is one of the things
that must not tell the dialer's detector what kind of callee it hears.

    python sim/audio/make_clips.py            # writes beside itself, and examples/prompts/safe_harbour.wav
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SAMPLE_RATE_HZ = 8_000
BYTES_BUDGET = 1_900_000
LOUDNESS_DB = {"quiet": -9.0, "normal": -5.0, "loud": -2.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One utterance: an espeak-ng voice, its pitch (0..99), speed in words a minute, and the words."""

    voice: str
    text: str
    pitch: int = 50
    words_per_minute: int = 165
    loudness: str = "normal"
    beep_hz: int = 0
    beep_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """One row of clips.yaml."""

    file: str
    duration_ms: int
    speech_ms: int
    beep_ms: int


GREETINGS = (
    Line(voice="en-us+m1", text="Hello?", pitch=40),
    Line(voice="en-us+f2", text="Hello?", pitch=55, loudness="loud"),
    Line(voice="en-gb+f4", text="Hello, who is this?", pitch=50),
    Line(voice="en-gb-scotland+m3", text="Yes, hello?", pitch=35),
    Line(voice="en-us+f5", text="Hi, this is Martha.", pitch=60),
    Line(voice="en-029+m4", text="Hello, good morning.", pitch=45, words_per_minute=175),
    Line(voice="en-gb-x-rp+m2", text="Good morning, Smith residence.", pitch=45, words_per_minute=180),
    Line(voice="en-us-nyc+m6", text="Yeah?", pitch=30, loudness="loud"),
    Line(voice="en-us+m7", text="Hi, this is Daniel speaking.", pitch=38, words_per_minute=185),
    Line(voice="en-gb-x-gbclan+f1", text="Hiya, you all right?", pitch=58),
    Line(voice="en-gb-x-gbcwmd+m5", text="Who's calling?", pitch=42, loudness="quiet"),
    Line(voice="en-us+f3", text="Speaking.", pitch=52),
    Line(voice="en-us+m3", text="Johnson.", pitch=32, loudness="quiet"),
    Line(voice="de+f2", text="Hallo?", pitch=55),
    Line(voice="es-419+m2", text="Bueno?", pitch=44),
    Line(voice="fr+f3", text="Allo, oui?", pitch=57),
)
VOICEMAILS = (
    Line(
        voice="en-us+f1",
        text="You have reached the voice mailbox of six four six, five five five, zero one two three. "
        "Please leave a message after the tone.",
        beep_hz=1000,
        beep_ms=300,
    ),
    Line(
        voice="en-us+m2",
        text="Hi this is Greg and I can't get to the phone right now so leave your name and number "
        "and I will call you back.",
        words_per_minute=180,
        beep_hz=960,
        beep_ms=320,
    ),
    Line(
        voice="en-gb+m4",
        text="The person you are calling is not available. At the tone please record your message. "
        "When you have finished recording you may hang up.",
        beep_hz=1050,
        beep_ms=280,
        loudness="loud",
    ),
    Line(
        voice="en-gb-x-rp+f3",
        text="Thank you for calling the Henderson family we are not at home at the moment but if you leave "
        "a message we will return your call.",
        beep_hz=1000,
        beep_ms=400,
    ),
    Line(
        voice="en-gb-scotland+m1",
        text="Hello you have reached Ian I am sorry I missed your call please leave a message after the beep.",
        words_per_minute=160,
        beep_hz=1100,
        beep_ms=300,
        loudness="quiet",
    ),
    Line(
        voice="en-us-nyc+f4",
        text="Your call has been forwarded to an automated voice message system. At the tone, please leave a message.",
        beep_hz=1000,
        beep_ms=300,
    ),
    Line(
        voice="en-029+f2",
        text="We can't come to the phone just now but your call is important to us so please leave your name, "
        "your number, and a short message.",
        words_per_minute=175,
        beep_hz=980,
        beep_ms=350,
    ),
    Line(
        voice="de+m3",
        text="Guten Tag Sie sind verbunden mit dem Anschluss der Familie Berger bitte hinterlassen Sie eine "
        "Nachricht nach dem Signalton.",
        beep_hz=1020,
        beep_ms=300,
    ),
)
CONVERSATION = (
    Line(
        voice="en-us+f4",
        text="Well I was wondering about that. Could you tell me what it would cost for the whole year? "
        "And is there anything to pay up front? I see, go on.",
    ),
    Line(
        voice="en-gb+m3",
        text="Right, yes, that makes sense to me. We had something like it before, but the price went up. "
        "How long does the offer last?",
        pitch=40,
    ),
    Line(
        voice="en-us+m5",
        text="Okay. Tuesday would be better for me, in the afternoon if that is possible. "
        "My wife will be at home then as well. What do you need from us?",
        pitch=36,
    ),
)
AGENTS = (
    Line(
        voice="en-us+f2",
        text="Good morning, this is Alice from Example Limited. I am calling about your renewal. "
        "Is this a good moment to talk?",
    ),
    Line(
        voice="en-gb+m2",
        text="Hello, my name is Robert, I am calling for Example Limited on a recorded line. "
        "Do you have two minutes for me?",
        pitch=42,
    ),
)
INTERCEPT = Line(
    voice="en-us+f5",
    text="We're sorry. The number you have dialed is not in service. Please check the number and dial again.",
)
SAFE_HARBOUR = Line(
    voice="en-us+f2",
    text="This is Example Limited. We called for telemarketing purposes. "
    "Our number is one, two one two, five five five, oh one hundred. To be put on our do not call list, press nine.",
    words_per_minute=200,
)
# Bellcore's intercept: low and short, low and short; the third is always 1776.7 Hz, long.
SIT_TONES = ((913.8, 0.274), (1370.6, 0.274), (1776.7, 0.380))


def main(arguments: list[str] | None = None) -> int:
    """Writes every clip, the manifest and the safe-harbour prompt; refuses to exceed the size budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument(
        "--prompt", type=Path, default=Path(__file__).parents[2] / "examples" / "prompts" / "safe_harbour.wav"
    )
    options = parser.parse_args(arguments)
    roles = {
        "human_greeting": GREETINGS,
        "voicemail_greeting": VOICEMAILS,
        "human_conversation": CONVERSATION,
        "agent_speech": AGENTS,
    }
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        manifest = {role: [_speak(line, options.out, work) for line in lines] for role, lines in roles.items()}
        manifest["carrier_intercept"] = [_intercept(options.out, work)]
        _safe_harbour(options.prompt, work)
    _write_manifest(options.out / "clips.yaml", manifest)
    size = sum(path.stat().st_size for path in options.out.glob("*.ulaw")) + options.prompt.stat().st_size
    print(f"{sum(map(len, manifest.values()))} clips, {size:,} bytes")
    return 0 if size <= BYTES_BUDGET else 1


def _speak(line: Line, out: Path, work: Path) -> Clip:
    speech = _synthesise(line, work)
    if not line.beep_ms:
        return _store([speech], _name(line), out, speech_bytes=_bytes_of(speech, work))
    gap, beep = work / "gap.wav", work / "beep.wav"
    _tone(gap, 0.0, 0.4)
    _tone(beep, line.beep_hz, line.beep_ms / 1000)
    return _store([speech, gap, beep], _name(line), out, speech_bytes=_bytes_of(speech, work), beep_ms=line.beep_ms)


def _intercept(out: Path, work: Path) -> Clip:
    parts = []
    for index, (hz, seconds) in enumerate(SIT_TONES):
        parts.append(work / f"sit{index}.wav")
        _tone(parts[-1], hz, seconds)
    pause = work / "pause.wav"
    _tone(pause, 0.0, 0.4)
    speech = _synthesise(INTERCEPT, work)
    return _store([*parts, pause, speech], _name(INTERCEPT), out, speech_bytes=_bytes_of(speech, work))


def _synthesise(line: Line, work: Path) -> Path:
    """Speaks the line, bands it to a telephone's 300-3,400 Hz, trims the silence at both ends, sets the level."""
    raw, speech = work / "raw.wav", work / f"{_name(line)}.wav"
    speed = str(line.words_per_minute)
    _run(["espeak-ng", "-v", line.voice, "-p", str(line.pitch), "-s", speed, "-w", str(raw), line.text])
    trim = ["silence", "1", "0.01", "0.3%", "reverse", "silence", "1", "0.01", "0.3%", "reverse"]
    level = ["norm", str(LOUDNESS_DB[line.loudness])]
    shape = ["-r", str(SAMPLE_RATE_HZ), "-c", "1", "-b", "16"]
    _run(["sox", "-R", str(raw), *shape, str(speech), "sinc", "300-3400", *trim, *level])
    return speech


def _tone(path: Path, hz: float, seconds: float) -> None:
    shape = ["synth", f"{seconds}", "sine", f"{hz or 440}", "fade", "t", "0.005", f"{seconds}", "0.005"]
    gain = ["gain", "-12"] if hz else ["gain", "-200"]
    _run(["sox", "-R", "-n", "-r", str(SAMPLE_RATE_HZ), "-c", "1", "-b", "16", str(path), *shape, *gain])


def _store(parts: list[Path], name: str, out: Path, *, speech_bytes: int, beep_ms: int = 0) -> Clip:
    target = out / f"{name}.ulaw"
    _run(["sox", "-R", *map(str, parts), "-t", "raw", "-e", "mu-law", "-b", "8", str(target)])
    per_ms = SAMPLE_RATE_HZ // 1000
    return Clip(
        file=target.name,
        duration_ms=target.stat().st_size // per_ms,
        speech_ms=speech_bytes // 2 // per_ms,
        beep_ms=beep_ms,
    )


def _bytes_of(wav: Path, work: Path) -> int:
    raw = work / "size.raw"
    _run(["sox", str(wav), "-t", "raw", "-e", "signed", "-b", "16", str(raw)])
    return raw.stat().st_size


def _safe_harbour(prompt: Path, work: Path) -> None:
    prompt.parent.mkdir(parents=True, exist_ok=True)
    prompt.write_bytes(_synthesise(SAFE_HARBOUR, work).read_bytes())


def _name(line: Line) -> str:
    return "c" + hashlib.sha256(f"{line.voice}|{line.pitch}|{line.text}".encode()).hexdigest()[:8]


def _write_manifest(path: Path, manifest: dict[str, list[Clip]]) -> None:
    rows = [
        "# Made by make_clips.py. beep_ms = length of the beep at the end of the clip, 0 = none; it follows 400 ms of",
        "# silence after the speech. Raw G.711 mu-law: one byte a sample, 160 bytes a packet.",
        "encoding: mulaw",
        f"sample_rate_hz: {SAMPLE_RATE_HZ}",
        "roles:",
    ]
    for role, clips in manifest.items():
        rows.append(f"  {role}:")
        rows += [
            f"    - {{file: {c.file}, duration_ms: {c.duration_ms}, speech_ms: {c.speech_ms}, beep_ms: {c.beep_ms}}}"
            for c in sorted(clips, key=lambda clip: clip.file)
        ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
