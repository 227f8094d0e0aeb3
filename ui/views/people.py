"""What the page People shows: who is named, the faces of one person, and groups of faces that nobody has named."""

from __future__ import annotations

from typing import Any

from heimdex_core.library import Library
from heimdex_core.types import FaceCluster, FaceScan, PeopleState, Person, SceneFace
from ui import address, media
from ui.i18n import number, t, tn

CLUSTERS, FACES_OF_CLUSTER, FACES = 40, 8, 120
_LABELS = (
    *(
        "named",
        "unnamed",
        "none_named",
        "none_unnamed",
        "search",
        "show",
        "rename",
        "merge",
        "remove",
        "split",
        "close",
    ),
    *(
        "save",
        "cancel",
        "name",
        "name_short",
        "not_person",
        "remove_faces",
        "choose",
        "confirm_remove",
        "confirm_merge",
    ),
    "confirm_remove_faces",
)


def page(library: Library, shown: str | None) -> dict[str, Any]:
    """The people, the faces of the shown one, and the unnamed groups. People must be on.

    Faces are removed from videos by the owners of these.
    """
    people = library.people.all()
    own = {video.video_id for video in library.searchable_videos() if video.user_id == library.user_id}
    person = next((one for one in people if one.person_id == shown), None)
    return {
        "people": [_person(library, one) for one in people],
        "shown": _shown(library, person, own) if person is not None else None,
        "clusters": [_cluster(library, one, own) for one in library.people.unnamed(limit=CLUSTERS)],
        "labels": {name: t(f"people.{name}") for name in _LABELS},
    }


def _person(library: Library, person: Person) -> dict[str, Any]:
    counts = [tn("people.faces", person.faces), tn("people.videos", person.videos)]
    counts += [tn("people.photos", person.photos)] if person.photos else []
    return {
        "id": person.person_id,
        "name": person.name,
        "image": media.face_url(library, person.best_face.face_id) if person.best_face else None,
        "counts": " · ".join(counts),
        "href": address.url("search", q=f'person:"{person.name}"'),
    }


def _shown(library: Library, person: Person, own: set[str]) -> dict[str, Any]:
    faces = library.people.faces_of(person.person_id, limit=FACES)
    return {
        "id": person.person_id,
        "name": person.name,
        "heading": t("people.faces_of", name=person.name),
        "faces": [_face(library, face, own) for face in faces],
    }


def _face(library: Library, face: SceneFace, own: set[str]) -> dict[str, Any]:
    return {
        "id": face.face_id,
        "removable": face.video_id in own,
        "image": media.face_url(library, face.face_id),
        "by_hand": face.is_by_hand,
        "text": t("people.by_hand") if face.is_by_hand else f"{face.similarity or 0:.2f}",
    }


def _cluster(library: Library, cluster: FaceCluster, own: set[str]) -> dict[str, Any]:
    return {
        "id": cluster.cluster_id,
        "faces": [face.face_id for face in cluster.faces],
        "removable": all(face.video_id in own for face in cluster.faces),
        "images": [media.face_url(library, face.face_id) for face in cluster.faces[:FACES_OF_CLUSTER]],
        "counts": " · ".join([tn("people.faces", len(cluster.faces)), tn("people.videos", cluster.videos)]),
    }


def status(found: PeopleState, scan: FaceScan | None) -> str:
    """How far the videos have been looked through, in words."""
    if scan is not None and scan.state == "waiting":
        return t("people.scan_waiting")
    if scan is not None and not scan.is_over:
        return t("people.scanning", done=number(scan.done), total=number(scan.total))
    if not found.videos:
        return t("people.no_videos")
    text = t("people.scanned", scanned=number(found.scanned), videos=number(found.videos))
    return f"{text} {tn('people.faces', found.faces)}."
