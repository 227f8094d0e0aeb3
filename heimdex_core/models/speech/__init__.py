"""Speech recognition: Whisper by name, and the recogniser of the offline profile."""
