"""The server: `streamlit run app.py`. Pages by Streamlit; files, uploads and health by routes beside it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parent
if str(ROOT) not in sys.path:
    # Started from another folder, `ui` and `heimdex_core` are still found.
    sys.path.insert(0, str(ROOT))

from ui.server.routes import lifespan, routes  # noqa: E402

logging.getLogger("ui").setLevel(logging.INFO)

app = st.App(ROOT / "ui" / "shell.py", routes=routes(), lifespan=lifespan)
