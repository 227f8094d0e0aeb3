"""The app's own controls, drawn by NAME(key, data, handlers). Each has a folder with component.js and component.css."""

from __future__ import annotations

from ui.components.base import Component

appearance = Component("appearance")
chips_row = Component("chips")
corrections = Component("corrections")
dial = Component("dial")
empty_page = Component("empty")
evaluation_part = Component("evaluation")
export_list = Component("export_list")
facts_panels = Component("facts")
filters_panel = Component("filters")
grid = Component("grid")
home_steps = Component("home")
judge_view = Component("judge")
keys_dialog = Component("keys")
models_table = Component("models")
player = Component("player")
reel_editor = Component("reel")
reel_form = Component("reelform")
searches_table = Component("searches")
short_editor = Component("short")
strips = Component("strips")
timeline = Component("timeline")
topbar = Component("topbar")
transcript = Component("transcript")
tray_bar = Component("tray")
upload_zone = Component("upload", shared="uploads.js")
uploads_indicator = Component("uploads", shared="uploads.js")
video_rows = Component("videos")
work_card = Component("work")
