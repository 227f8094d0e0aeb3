"""What a process has once: the library, its work queue and worker, downloads, and the signer of links.

The only module that uses st.cache_resource. Pages and routes share these objects. A page gets the library as its user
sees it, from `library`; a route the one that its link names, from `library_for`.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import streamlit as st
from cachetools import LRUCache

from heimdex_core.api.links import Links, links_of
from heimdex_core.errors import LibraryBusy, LinkInvalid, SignInRequired
from heimdex_core.jobs.client import JobQueue
from heimdex_core.jobs.statuses import statuses_of
from heimdex_core.jobs.supervisor import WorkerSupervisor
from heimdex_core.library import Library
from heimdex_core.models.download.background import Downloads, DownloadStatus
from heimdex_core.models.download.pull import Puller
from heimdex_core.settings import get_settings
from ui import identity, state

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_opened: set[str] = set()
"""The libraries that this process has opened; st.cache_resource forgets it when somebody clears the caches."""

_BUSY_FOR_S = 2.0
_busy: tuple[float, LibraryBusy] | None = None
"""When opening the library was given up last, and why. The calls of other pages wait for the one that opens it; without
this each of them would wait as long again, one after the other."""


_KEPT_USERS = 64
_of_users: LRUCache[str, Library] = LRUCache(_KEPT_USERS)
"""The library as each user sees it, by user_id. What pages keep in memory is kept by library, and so by user."""
_of_users_lock = threading.Lock()


@st.cache_resource(show_spinner=False)
def process_library() -> Library:
    """The library of this process, created if its folder has none. It is that of the only user, or of nobody.

    Later it is only opened: where it was moved or removed meanwhile, LibraryNotFound is raised.
    """
    global _busy
    named = str(get_settings().library)
    if _busy is not None and time.monotonic() - _busy[0] < _BUSY_FOR_S:
        raise _busy[1]
    try:
        opened = Library.open(named, purpose="query", create=named not in _opened)
    except LibraryBusy as error:
        _busy = (time.monotonic(), error)
        raise
    _opened.add(named)
    opened.queue = JobQueue(opened)
    return opened


def needs_sign_in() -> bool:
    """Whether pages are for users who have signed in only.

    That is so where sign-in is configured, and for a library that is shared already: without the configuration, for
    example in another folder, nobody gets to see it.
    """
    return identity.is_configured() or process_library().accounts.is_shared()


def library() -> Library:
    """The library as the user of the page sees it. Raises SignInRequired, also outside of a page."""
    if not needs_sign_in():
        return process_library()
    who, signed_in = identity.current(), state.signed_in()
    if who is None or signed_in is None or signed_in.identity != who.key:
        raise SignInRequired()
    try:
        return library_for(signed_in.user_id)
    except LinkInvalid as error:  # deleted meanwhile, or not admitted any more
        raise SignInRequired() from error


def library_for(user_id: str) -> Library:
    """The library as a user sees it. Raises LinkInvalid where there is no such user (any more)."""
    opened = process_library()
    if user_id == opened.user_id and not needs_sign_in():
        return opened
    if not opened.accounts.is_admitted(user_id):
        raise LinkInvalid()
    with _of_users_lock:
        found = _of_users.get(user_id)
        if found is None:
            found = _of_users[user_id] = opened.as_user(user_id)
            if isinstance(opened.queue, JobQueue):
                found.queue = opened.queue.as_user(found)
    return found


def may_manage_server(user_id: str) -> bool:
    """Whether a user may have the server read its own folders, and change what all users share: an admin may."""
    return library_for(user_id).accounts.is_admin


@st.cache_resource(show_spinner=False)
def links() -> Links:
    """Signs and reads the links of this library."""
    return links_of(process_library())


def api() -> ASGIApp:
    """The HTTP API over this library."""
    from heimdex_core.api.app import create_app
    from heimdex_core.api.services import Services

    return create_app(Services(process_library, links))


@st.cache_resource(show_spinner=False)
def supervisor() -> WorkerSupervisor:
    """Starts, restarts and stops the worker process."""
    opened = process_library()
    return WorkerSupervisor(opened.path, opened.work.worker_folder, statuses=statuses_of(opened.work))


def worker_state() -> dict[str, Any]:
    """The state of the worker, as WorkerSupervisor.state describes it."""
    return supervisor().state()


@st.cache_resource(show_spinner=False)
def _downloads() -> Downloads:
    # outlives the page that started a download
    return Downloads()


def download() -> DownloadStatus | None:
    """The status of the running or the last download of models; None if this process has had none."""
    latest = _downloads().latest
    return latest.status() if latest else None


def start_download(*names: str, again: bool = False) -> None:
    """Download models in the background.

    Args:
        names: profiles or models, as for `models pull`.
        again: also download files that are there, because they cannot be used.

    Raises DownloadRunning while other models are downloaded.
    """
    _downloads().start(Puller(process_library().settings), *names, again=again)


def cancel_download() -> None:
    """Cancel the running download, if there is one."""
    latest = _downloads().latest
    if latest:
        latest.cancel()


@st.cache_resource(show_spinner=False)
def load_query_encoders(set_id: int) -> None:
    """Load the query encoders of a model set that the library will switch to, so that the first search is fast."""
    process_library().model_sets.models(set_id).warm()


def start() -> None:
    """Open the library and start the worker. The query encoders load in the background."""
    opened = process_library()
    supervisor().start()
    opened.warm()


def stop() -> None:
    """Stop the worker and a running download, and close the queue."""
    cancel_download()
    supervisor().stop()
    queue = process_library().queue
    if isinstance(queue, JobQueue):
        queue.close()
