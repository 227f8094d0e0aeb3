"""The app's own controls, drawn by NAME(key, data, handlers). Each has a folder with component.js and component.css."""

from __future__ import annotations

from ui.components.base import Component

appearance = Component("appearance")
dial = Component("dial")
empty_page = Component("empty")
exports_panel = Component("exports")
facts_panels = Component("facts")
grid = Component("grid")
home_steps = Component("home")
keys_dialog = Component("keys")
models_table = Component("models")
player = Component("player")
reel_editor = Component("reel")
timeline = Component("timeline")
topbar = Component("topbar")
transcript = Component("transcript")
tray_bar = Component("tray")
upload_zone = Component("upload", shared="uploads.js")
uploads_indicator = Component("uploads", shared="uploads.js")
video_rows = Component("videos")
work_card = Component("work")
