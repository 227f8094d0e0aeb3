"""Our own image model without weights: colour, light, texture and layout, with a written vocabulary."""
