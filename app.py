"""The server: `streamlit run app.py`. Streamlit serves the pages; routes beside it serve files, uploads and health."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

ROOT = Path(__file__).resolve().parent
if str(ROOT) not in sys.path:
    # so that `ui` and `heimdex_core` are found when started from another folder
    sys.path.insert(0, str(ROOT))

from heimdex_core import logs  # noqa: E402
from heimdex_core.api.requests import RequestLog  # noqa: E402
from heimdex_core.settings import get_settings  # noqa: E402
from ui import address  # noqa: E402
from ui.server import late_reruns  # noqa: E402
from ui.server.hosts import HostCheck  # noqa: E402
from ui.server.index_page import IndexPage  # noqa: E402
from ui.server.routes import lifespan, routes  # noqa: E402
from ui.server.sign_in import SignInProblems  # noqa: E402

logging.getLogger("ui").setLevel(logging.INFO)
logs.configure("app")
late_reruns.install()

app = st.App(
    ROOT / "ui" / "shell.py",
    routes=routes(),
    middleware=[
        Middleware(RequestLog),
        Middleware(HostCheck, get_settings().allowed_hosts or ()),
        Middleware(IndexPage, [address.path(name) for name in (*address.NAMES, *address.HIDDEN)]),
        Middleware(SignInProblems),
    ],
    lifespan=lifespan,
)
