"""Models of real size with random weights, in the formats that the adapters read: for how long they take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = tuple(f"{first}{last}" for first in ("ba", "ko", "mi", "tu", "re") for last in ("da", "lin", "so", "pe", "gun"))
"""Whole words of the text models' tokenizer, so that a text has as many tokens as words."""


def open_clip_folder(folder: Path, model: Any, architecture: str) -> Path:
    """The picture side of an open_clip model as a local-dir; the text side, which no picture asks for, is left out."""
    from dataclasses import asdict, is_dataclass

    from open_clip import get_model_config
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    preprocess = model.visual.preprocess_cfg
    preprocess = asdict(preprocess) if is_dataclass(preprocess) and not isinstance(preprocess, type) else preprocess
    kept = {key: preprocess[key] for key in ("mean", "std", "interpolation", "resize_mode")}
    config = {"model_cfg": get_model_config(architecture), "preprocess_cfg": kept}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    weights = {f"visual.{name}": value.contiguous() for name, value in model.visual.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


def sentence_folder(folder: Path, *, width: int, layers: int, heads: int, vocabulary: int, positions: int) -> Path:
    """A sentence-transformers folder of an XLM-R encoder, mean pooling; reads WORDS, one token each."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    folder.mkdir(parents=True)
    _word_tokenizer(folder)
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=positions + 2,
        type_vocab_size=1,
        pad_token_id=1,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    prefix = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{prefix}.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{prefix}.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": positions}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


def whisper_folder(folder: Path, *, width: int, layers: int, heads: int) -> Path:
    """A Whisper in CTranslate2's format in half precision, as they are given out; its words are bytes."""
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

    # the empty token is how CTranslate2 knows a model of many languages
    vocabulary = [*sorted(pre_tokenizers.ByteLevel.alphabet()), ""]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(vocabulary)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ["endoftext", "startoftranscript", "en", "ko", "translate", "transcribe", "startoflm", "startofprev"]
    names += ["nospeech", "notimestamps"]
    tokenizer.add_special_tokens([f"<|{name}|>" for name in names])
    tokenizer.add_tokens([f"<|{n * 0.02:.2f}|>" for n in range(1501)])
    ids = tokenizer.get_vocab()
    token = {name: ids[f"<|{name}|>"] for name in names}
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        pad_token_id=token["endoftext"],
        bos_token_id=token["endoftext"],
        eos_token_id=token["endoftext"],
        decoder_start_token_id=token["startoftranscript"],
    )
    model = WhisperForConditionalGeneration(config)
    generation: Any = model.generation_config  # what Whisper adds to it is not in its type
    generation._from_model_config = False  # else the languages are not written
    generation.lang_to_id = {f"<|{code}|>": token[code] for code in ("en", "ko")}
    generation.task_to_id = {task: token[task] for task in ("transcribe", "translate")}
    generation.alignment_heads = [[layers - 1, 0]]
    generation.no_timestamps_token_id = token["notimestamps"]
    generation.suppress_tokens, generation.begin_suppress_tokens = [], [token["endoftext"]]
    source = folder.with_name(f"{folder.name}-source")
    model.save_pretrained(source)
    end = "<|endoftext|>"
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end).save_pretrained(source)
    TransformersConverter(str(source), copy_files=["tokenizer.json"]).convert(str(folder), quantization="float16")
    return folder


def _word_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *WORDS]
    unknown = "<unk>"
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(vocabulary)}, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": unknown}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": "<s>", "eos_token": "</s>"}))
    torch.manual_seed(0)
