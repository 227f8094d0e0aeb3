"""Everything that touches PyAV or ffmpeg: probing, decoding, sound, subtitles, previews, rendering."""
