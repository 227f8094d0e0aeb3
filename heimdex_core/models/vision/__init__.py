"""Image-text encoders and captioning by open_clip."""
