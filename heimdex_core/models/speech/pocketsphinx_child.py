"""The process in which pocketsphinx decodes. It holds Python's global lock for seconds, but alone it delays nobody.

Run as a file by `pocketsphinx.Child`. The first argument is the model's folder. Requests arrive on stdin: the length
in bytes (unsigned, 32 bit, little-endian), then as many bytes of 16 kHz mono 16-bit audio; a length of 0 begins a new
file. Each is answered on stdout by one line of JSON: {"words": [[word, first frame, last frame, probability], ...]} or
{"error": "..."}. The first line is {"ready": frames per second}. The process ends when stdin does.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO


def main(folder: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""

    def answer(**value: Any) -> None:
        answers.write(json.dumps(value).encode() + b"\n")
        answers.flush()

    try:
        from pocketsphinx import Config, Decoder

        decoder = Decoder(
            Config(
                hmm=str(folder / "en-us/en-us"),
                lm=str(folder / "en-us/en-us.lm.bin"),
                dict=str(folder / "en-us/cmudict-en-us.dict"),
                loglevel="FATAL",
            )
        )
    except (ImportError, RuntimeError, ValueError) as error:
        answer(error=str(error) or type(error).__name__)
        return
    answer(ready=decoder.config["frate"])
    while len(header := requests.read(4)) == 4:
        (length,) = struct.unpack("<I", header)
        samples = requests.read(length)
        if len(samples) < length:
            return
        try:
            answer(words=decode(decoder, samples))
        except (RuntimeError, ValueError) as error:
            answer(error=str(error) or type(error).__name__)


def decode(decoder: Any, samples: bytes) -> list[tuple[str, int, int, float]]:
    """The words in a stretch of speech; none for the empty one that begins a file."""
    if not samples:
        # the noise and level of the last file must not affect this one
        decoder.reinit_feat()
        return []
    decoder.start_utt()
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [(part.word, part.start_frame, part.end_frame, part.prob) for part in decoder.seg() or ()]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; this process ends with it
    main(Path(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
