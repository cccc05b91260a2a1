"""What is on the line: tones, speech, and from their timing who answered. Pure; 20 ms frames in, verdicts out."""
