"""Everything that touches PyAV or ffmpeg: probing, decoding, audio, subtitles, previews, rendering."""
