"""Running frames through filters of libavfilter with PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import av
from av.video.frame import VideoFrame

from heimdex_core.media.colour import Filter

_Layout = tuple[int, int, str]


class FilterGraph:
    """Filters one behind the other. Frames of another size or pixel format get a graph of their own.

    libavfilter reads beyond the end of frames that are smaller than the ones it was set up for.
    """

    def __init__(self, filters: Iterable[Filter]) -> None:
        self._filters = list(filters)
        self._layout: _Layout | None = None
        self._graph: Any = None
        self._count = 0

    def feed(self, frame: VideoFrame) -> list[VideoFrame]:
        """What comes out once `frame` is in: of most filters one frame. Raises av.error.FFmpegError."""
        layout = (frame.width, frame.height, frame.format.name)
        done: list[VideoFrame] = []
        if layout != self._layout:
            done = self.finish()
            self._graph, self._layout = self._make(layout), layout
        # its times mean nothing here, but filters want them to rise
        frame.pts = self._count
        self._count += 1
        self._graph.vpush(frame)
        return done + self._pull()

    def finish(self) -> list[VideoFrame]:
        """What the filters still hold."""
        if self._graph is None:
            return []
        self._graph.vpush(None)
        done = self._pull()
        self._graph = self._layout = None
        return done

    def _make(self, layout: _Layout) -> Any:
        width, height, pixel_format = layout
        graph = av.filter.Graph()
        graph.threads = 1
        last = graph.add(
            "buffer",
            video_size=f"{width}x{height}",
            pix_fmt=pixel_format,
            time_base="1/1000",
            pixel_aspect="1/1",
        )
        for name, options in [*self._filters, ("buffersink", {})]:
            added = graph.add(name, **options)
            last.link_to(added)
            last = added
        graph.configure()
        return graph

    def _pull(self) -> list[VideoFrame]:
        done: list[VideoFrame] = []
        while True:
            try:
                done.append(self._graph.vpull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return done
