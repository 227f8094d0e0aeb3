"""A model is missing, broken or unsuited."""

from __future__ import annotations

from heimdex_core.errors.base import ModelError


class ModelUnavailable(ModelError):
    code = "MODEL_UNAVAILABLE"
    message_template = "The model {name} is not there: {reason}"
    hint_template = "Install the requirements again, or choose another profile."


class ModelBroken(ModelError):
    code = "MODEL_BROKEN"
    message_template = "The model {name} does not work: {reason}"
    hint_template = "Its files are damaged or of another version. Install it again."


class WeightsMissing(ModelUnavailable):
    code = "WEIGHTS_MISSING"
    message_template = "The weights of {name} are not on this machine: {reason}"
    hint_template = (
        "`python -m heimdex_core models pull {name}` gets them; or copy them into the folder HEIMDEX_MODELS_DIR."
    )


class ModelFolderUnusable(WeightsMissing):
    code = "MODEL_FOLDER_UNUSABLE"
    message_template = "The model folder {name} cannot be used: {reason}"
    hint_template = "Check the path: the folder must hold the model's own files, all of them."


class ProfileWeightsMissing(ModelUnavailable):
    code = "PROFILE_WEIGHTS_MISSING"
    message_template = "{profile} needs models that are not on this machine: {missing} ({size_gb} GB to download)."
    hint_template = "`python -m heimdex_core models pull {pull}` gets them. The profile offline needs no download."


class HubUnreachable(ModelError):
    code = "HUB_UNREACHABLE"
    message_template = "The model hub {endpoint} cannot be reached: {reason}"
    hint_template = (
        "What has arrived is kept: run it again when there is a network. Where there is none, fill a folder elsewhere"
        " with `models pull {name} --to DIR`, bring it here and set HEIMDEX_MODELS_DIR to it."
    )


class HubRefused(ModelError):
    code = "HUB_REFUSED"
    message_template = "The model hub {endpoint} does not give out {repo}: {reason}"
    hint_template = "Accept its terms on the model's page and log in with `hf auth login`, or choose another model."


class ModelUnsuited(ModelError):
    code = "MODEL_UNSUITED"
    message_template = "The repository {repo} has no model that can be read here: {reason}"
    hint_template = (
        "Name one with weights for faster-whisper, sentence-transformers or open_clip; `models list` has some."
    )


class DownloadDamaged(ModelError):
    code = "DOWNLOAD_DAMAGED"
    message_template = "{file} of {name} arrived damaged: {reason}"
    hint_template = "It was removed. Run the same command again; the files that are whole are kept."


class DownloadRunning(ModelError):
    code = "DOWNLOAD_RUNNING"
    message_template = "{name} is being downloaded into {folder} already."
    hint_template = "Wait until that is done; it goes on where it was if it is stopped."


class DeviceUnavailable(ModelError):
    code = "DEVICE_UNAVAILABLE"
    message_template = "The device {device} was asked for and cannot be used: {reason}"
    hint_template = "Set HEIMDEX_DEVICE=auto to use what there is, or install the GPU's driver."


class OutOfGpuMemory(ModelError):
    code = "OUT_OF_GPU_MEMORY"
    message_template = "The GPU has too little memory for {name}, even one item at a time."
    hint_template = "Close what else uses the GPU, choose a smaller model, or set HEIMDEX_DEVICE=cpu."


class ProfileMismatch(ModelError):
    code = "PROFILE_MISMATCH"
    message_template = "This library uses the profile {pinned}; {asked} was asked for."
    hint_template = (
        "Leave the profile out, or move the library with `python -m heimdex_core reindex --profile {asked}`."
    )
