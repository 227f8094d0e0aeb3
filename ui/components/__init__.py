"""The app's own controls, drawn by NAME(key, data, handlers). Each has a folder with component.js and component.css."""

from __future__ import annotations

from ui.components.base import Component

dial = Component("dial")
exports_panel = Component("exports")
facts_panels = Component("facts")
grid = Component("grid")
home_steps = Component("home")
models_table = Component("models")
player = Component("player")
reel_editor = Component("reel")
topbar = Component("topbar")
tray_bar = Component("tray")
upload_zone = Component("upload")
video_rows = Component("videos")
work_card = Component("work")
