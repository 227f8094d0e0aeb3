"""How a coded picture is turned before it is shown: the display matrix of phones and editors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame


@dataclass(frozen=True, slots=True)
class Orientation:
    """Transpose first, then mirror: what brings the coded picture into its shown position."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def rotation_deg(self) -> int:
        """Clockwise quarter turns of the picture when shown, mirroring set aside: 0, 90, 180, 270."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    @property
    def is_mirrored(self) -> bool:
        """True where no rotation alone gives the shown picture."""
        return self.transpose == (self.mirror_x == self.mirror_y)

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(h, w, 3) as coded -> contiguous picture as shown."""
        if self == Orientation():
            return np.ascontiguousarray(image)
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def orientation_of(frame: VideoFrame) -> Orientation:
    """The frame's display matrix, to the nearest quarter turn.

    The matrix maps a coded point to a shown one: x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 8.2.2).
    """
    side_data: Any = frame.side_data  # its stub mistakes it for a mapping by name
    for side in side_data:
        if side.type == Type.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].astype(np.int64)
            if abs(b) + abs(c) > abs(a) + abs(d):
                return Orientation(True, bool(c < 0), bool(b < 0))
            return Orientation(False, bool(a < 0), bool(d < 0))
    return Orientation()
