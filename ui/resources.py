"""What a process holds once: the library, its work queue and worker, the signer of links.

The only use of st.cache_resource. The server's routes and the pages share these.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from heimdex_core.errors import LinkInvalid
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.supervisor import WorkerSupervisor
from heimdex_core.library import Library
from heimdex_core.models.download.background import Downloads, DownloadStatus
from heimdex_core.models.download.pull import Puller
from ui.server.links import Links, load_secret


@st.cache_resource(show_spinner=False)
def library() -> Library:
    """The library of this process; made on the first start."""
    opened = Library.open(purpose="query")
    opened.queue = JobQueue(opened)
    return opened


def library_for(user_id: str) -> Library:
    """The library as `user_id` sees it. There is one person as long as nobody signs in."""
    found = library()
    if user_id != found.user_id:
        raise LinkInvalid()
    return found


@st.cache_resource(show_spinner=False)
def links() -> Links:
    """Signs and reads the links of this library."""
    opened = library()
    secret = opened.settings.secret
    return Links(
        load_secret(secret.get_secret_value() if secret else None, opened.path),
        opened.path,
        file_ttl_s=opened.settings.link_ttl_s,
        upload_ttl_s=opened.settings.upload_token_s,
    )


@st.cache_resource(show_spinner=False)
def supervisor() -> WorkerSupervisor:
    """The worker's keeper; started and stopped with the server."""
    opened = library()
    return WorkerSupervisor(opened.path, opened.work.worker_folder)


def worker_state() -> dict[str, Any]:
    return supervisor().state()


@st.cache_resource(show_spinner=False)
def _downloads() -> Downloads:
    """The one download of models at a time; it outlives the page that began it."""
    return Downloads()


def download() -> DownloadStatus | None:
    """Where the download of models stands, or how the last one of this process ended."""
    latest = _downloads().latest
    return latest.status() if latest else None


def start_download(*names: str, again: bool = False) -> None:
    """Fetch models from the hub, `again` where their files do not work; DownloadRunning where others are fetched."""
    _downloads().start(Puller(library().settings), *names, again=again)


def cancel_download() -> None:
    latest = _downloads().latest
    if latest:
        latest.cancel()


@st.cache_resource(show_spinner=False)
def warm_set(set_id: int) -> None:
    """Load the query side of models that the library is about to use, once: the first search must not wait."""
    library().model_sets.models(set_id).warm()


def start() -> None:
    """Open the library, start the worker; the query encoders load in the background."""
    opened = library()
    supervisor().start()
    opened.warm()


def stop() -> None:
    """End the worker in order; a download stops, and what has arrived is kept."""
    cancel_download()
    supervisor().stop()
    queue = library().queue
    if isinstance(queue, JobQueue):
        queue.close()
