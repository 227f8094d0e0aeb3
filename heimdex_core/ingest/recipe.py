"""What each stage needs, depends on and makes. The stages themselves know nothing of each other or the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from heimdex_core.ingest import (
    audio,
    captions,
    commit,
    extra_embedding,
    keyframes,
    picture,
    preview,
    probe,
    scenes,
    subtitles,
    tags,
    text_embedding,
    transcript,
    vision_embedding,
)
from heimdex_core.ingest.audio import Sound
from heimdex_core.ingest.files import save_vectors
from heimdex_core.ingest.kitchen import Kitchen, Made
from heimdex_core.ingest.progress import STAGES
from heimdex_core.ingest.work import StageRecord
from heimdex_core.models.base import ImageTextEncoder, TextEncoder, Vectors
from heimdex_core.types import Space, WorkContext, to_json

Provenance = Callable[[], Mapping[str, object]]


@dataclass(frozen=True)
class Step:
    """`needs` are all the stages whose results go in, `files_of` those of them whose files are read too.
    `params` are the IngestParams that matter, `unit` is that of progress.
    """

    version: int
    needs: tuple[str, ...]
    make: Callable[[Kitchen, WorkContext, Provenance], Made]
    params: tuple[str, ...] = ()
    unit: str = "s"
    files_of: tuple[str, ...] = ()


def _probe(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    return Made(to_json(probe.examine(kitchen.source, filename=kitchen.video.filename, params=kitchen.params)))


def _audio(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    sound = audio.listen(kitchen.source, kitchen.info(), kitchen.work.file(audio.WAV), context)
    return Made(to_json(sound), (sound.wav,) if sound.wav else ())


def _subtitles(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    supplied = kitchen.supplied_subtitles
    return Made(to_json(subtitles.read_lines(kitchen.source, kitchen.info(), supplied=supplied, context=context)))


def _transcript(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    def sound() -> tuple[Sound, Path | None]:
        found = kitchen.sound()
        return found, kitchen.work.file(found.wav) if found.wav else None

    found = transcript.transcribe(
        kitchen.info(),
        lines=kitchen.lines(),
        sound=sound,
        recognizer=kitchen.models.speech,
        language=kitchen.language,
        context=context,
    )
    return Made(to_json(found))


def _picture(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    folder = kitchen.work.fresh_folder(picture.FOLDER)
    found = picture.look(kitchen.source, kitchen.info(), folder, kitchen.params, context)
    return Made(to_json(found), tuple(f"{picture.FOLDER}/{c.file}" for c in found.candidates))


def _preview(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    out = kitchen.work.file(preview.FILE)
    out.unlink(missing_ok=True)  # it may be a second name of the one that is being played
    height_px = kitchen.params.preview_height_px
    damaged = kitchen.picture().damaged_count > 0
    found = preview.prepare(kitchen.source, kitchen.info(), out, damaged=damaged, height_px=height_px, context=context)
    return Made(to_json(found), (found.file,) if found.file else ())


def _scenes(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    # only lines that came with the video: what a recogniser makes of the sound must not move scenes
    came = kitchen.lines().found
    found = scenes.make_scenes(
        kitchen.picture().cuts_s,
        kitchen.info().duration_s,
        silences=kitchen.sound().silences,
        lines=came.segments if came is not None else (),
        params=kitchen.params,
    )
    return Made({"scenes": to_json(found)})


def _keyframes(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    out = kitchen.work.fresh_folder(keyframes.FOLDER)
    candidates = kitchen.work.path / picture.FOLDER
    found = keyframes.choose_frames(kitchen.spans(), kitchen.picture(), candidates, out, kitchen.params, context)
    names = [k.file for s in found for k in s.keyframes] + [s.thumbnail for s in found if s.thumbnail]
    return Made({"scenes": to_json(found)}, tuple(f"{keyframes.FOLDER}/{name}" for name in names))


def _text_embedding(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    found, vectors = text_embedding.embed_words(
        kitchen.spans(), kitchen.transcript(), kitchen.sound(), kitchen.models.text(), kitchen.params, context
    )
    save_vectors(kitchen.work.file(text_embedding.FILE), vectors)
    return Made(to_json(found), (text_embedding.FILE,))


def _vision_embedding(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    folder = kitchen.work.path / keyframes.FOLDER
    pooling = kitchen.params.vision_pooling
    found, vectors = vision_embedding.embed_frames(kitchen.frames(), folder, kitchen.models.vision(), pooling, context)
    save_vectors(kitchen.work.file(vision_embedding.FILE), vectors)
    return Made(to_json(found), (vision_embedding.FILE,))


def _tags(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    vectors = kitchen.vectors(vision_embedding.FILE)
    count = len(kitchen.frames())
    found = tags.name_scenes(vectors, kitchen.looks().rows, count, kitchen.models.vision(), context)
    return Made({"scenes": found})


def _captions(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    captioner = kitchen.models.captioner()
    if captioner is None:  # the stage is not part of such a run
        return Made({"scenes": [""] * len(kitchen.frames())})
    found = captions.describe(kitchen.frames(), kitchen.work.path / keyframes.FOLDER, captioner, context)
    return Made({"scenes": found})


def _extra_embedding(kitchen: Kitchen, context: WorkContext, _: Provenance) -> Made:
    spaces = kitchen.extra_spaces
    for done, (role, space) in enumerate(spaces.items()):
        if kitchen.held.space_record(role, space) is None:
            rows, vectors = _extra_vectors(kitchen, role, space, _part(context, done, len(spaces)))
            file = extra_embedding.file_name(space)
            save_vectors(kitchen.work.file(file), vectors)
            result = {"rows": list(rows)}
            name, wanted = extra_embedding.record_name(space), kitchen.held.space_fingerprint(role)
            kitchen.work.write_record(StageRecord(name, wanted, result, (file,)))
    files = tuple(extra_embedding.file_name(space) for space in spaces.values())
    return Made({"spaces": [space.name for space in spaces.values()]}, files)


def _extra_vectors(kitchen: Kitchen, role: str, space: Space, context: WorkContext) -> tuple[tuple[int, ...], Vectors]:
    """(rows, vectors) as the stages of the primary spaces would make them."""
    model = kitchen.models.encoder(space.name)
    if role == "caption":
        return extra_embedding.embed_lines(kitchen.captions(), cast(TextEncoder, model), context)
    if space.kind == "vision":
        folder, pooling = kitchen.work.path / keyframes.FOLDER, kitchen.params.vision_pooling
        looks, vectors = vision_embedding.embed_frames(
            kitchen.frames(), folder, cast(ImageTextEncoder, model), pooling, context
        )
        return looks.rows, vectors
    words, vectors = text_embedding.embed_words(
        kitchen.spans(), kitchen.transcript(), kitchen.sound(), cast(TextEncoder, model), kitchen.params, context
    )
    return words.rows, vectors


def _part(context: WorkContext, number: int, count: int) -> WorkContext:
    """Progress of one of `count` equal parts, in hundredths of the whole."""

    def report(done: float, total: float) -> None:
        context.report(100 * (number + (done / total if total > 0 else 0.0)) / count, 100)

    return WorkContext(report=report, is_cancelled=context.is_cancelled)


def _commit(kitchen: Kitchen, context: WorkContext, provenance: Provenance) -> Made:
    words, looks, made_preview = kitchen.words(), kitchen.looks(), kitchen.preview()
    info, said = kitchen.info(), kitchen.transcript()
    notes = [*info.notes, *kitchen.sound().notes, *said.notes, *kitchen.picture().notes, *words.notes, *looks.notes]
    vectors = {
        kitchen.models.spaces["text"]: (words.rows, kitchen.vectors(text_embedding.FILE)),
        kitchen.models.spaces["vision"]: (looks.rows, kitchen.vectors(vision_embedding.FILE)),
    }
    for space in kitchen.extra_spaces.values():
        rows = kitchen.result(extra_embedding.record_name(space))["rows"]
        vectors[space] = (rows, kitchen.vectors(extra_embedding.file_name(space)))
    found = commit.Found(
        info=info,
        transcript=said,
        spans=kitchen.spans(),
        frames=kitchen.frames(),
        words=words,
        tags=kitchen.tags(),
        captions=kitchen.captions() if kitchen.models.captioner() is not None else None,
        vectors=vectors,
        frames_folder=kitchen.work.path / keyframes.FOLDER,
        preview=kitchen.work.file(made_preview.file) if made_preview.file else None,
        notes=list(dict.fromkeys(notes)),
        records=kitchen.records_to_keep,
    )
    current = kitchen.store.video(kitchen.video.user_id, kitchen.video.video_id)
    n = commit.commit(kitchen.store, current, found, to_json(provenance()), kitchen.work, kitchen.target)
    return Made({"generation": n})


STEPS: dict[str, Step] = {
    "probe": Step(probe.VERSION, (), _probe, probe.PARAMS),
    "audio": Step(audio.VERSION, ("probe",), _audio),
    "subtitles": Step(subtitles.VERSION, ("probe",), _subtitles),
    # where lines came with the video the sound plays no part: see held.py
    "transcript": Step(transcript.VERSION, ("probe", "audio", "subtitles"), _transcript, files_of=("audio",)),
    "picture": Step(picture.VERSION, ("probe",), _picture, picture.PARAMS),
    "scenes": Step(scenes.VERSION, ("probe", "audio", "subtitles", "picture"), _scenes, scenes.PARAMS, "items"),
    "keyframes": Step(
        keyframes.VERSION, ("picture", "scenes"), _keyframes, keyframes.PARAMS, "items", files_of=("picture",)
    ),
    "vision_embedding": Step(
        vision_embedding.VERSION,
        ("keyframes",),
        _vision_embedding,
        vision_embedding.PARAMS,
        "items",
        files_of=("keyframes",),
    ),
    "tags": Step(tags.VERSION, ("keyframes", "vision_embedding"), _tags, unit="items", files_of=("vision_embedding",)),
    "captions": Step(captions.VERSION, ("keyframes",), _captions, unit="items", files_of=("keyframes",)),
    "preview": Step(preview.VERSION, ("probe", "picture"), _preview, preview.PARAMS),
    "text_embedding": Step(
        text_embedding.VERSION, ("audio", "transcript", "scenes"), _text_embedding, text_embedding.PARAMS, "items"
    ),
    # it needs what its spaces need: see held.py
    "extra_embedding": Step(extra_embedding.VERSION, (), _extra_embedding, unit="items", files_of=("keyframes",)),
    "commit": Step(
        commit.VERSION,
        tuple(stage for stage in STAGES if stage != "commit"),
        _commit,
        unit="items",
        files_of=("keyframes", "vision_embedding", "preview", "text_embedding", "extra_embedding"),
    ),
}
"""In the order of STAGES. Needs are direct; a fingerprint covers what those need in turn."""
