"""Our own picture model: colour, light, texture and layout, with a written vocabulary."""
