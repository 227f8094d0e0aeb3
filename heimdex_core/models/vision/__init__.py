"""Image encoders and captioners of open_clip, and zero-shot tags."""
