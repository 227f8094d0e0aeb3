"""Models with random weights in the real formats, made in a second or two: for what does not depend on meaning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = [
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("and", "the", "a", "of", "in", "red", "green", "blue"),
]


def random_whisper(folder: Path, *, languages: tuple[str, ...] = ("en", "ko"), multilingual: bool = True) -> Path:
    """A Whisper of one layer in CTranslate2's format."""
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    # the empty token is how CTranslate2 knows a model of many languages
    vocabulary = [*alphabet, *(f"Ġ{word}" for word in WORDS), *([""] if multilingual else [])]
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(vocabulary)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    roles = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    names = ("endoftext", "startoftranscript", *languages, *roles)
    tokenizer.add_special_tokens([f"<|{name}|>" for name in names])
    tokenizer.add_tokens([f"<|{n * 0.02:.2f}|>" for n in range(1501)])
    token = {name: tokenizer.token_to_id(f"<|{name}|>") for name in names}
    torch.manual_seed(0)
    end = token["endoftext"]
    assert end is not None
    start = token["startoftranscript"]
    assert start is not None
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=tokenizer.get_vocab_size(),
            d_model=32,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_source_positions=1500,
            max_target_positions=448,
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            decoder_start_token_id=start,
        )
    )
    generation: Any = model.generation_config
    generation._from_model_config = False  # else the languages are not written
    generation.lang_to_id = {f"<|{code}|>": token[code] for code in languages}
    generation.task_to_id = {task: token[task] for task in ("transcribe", "translate")}
    generation.alignment_heads = [[0, 0], [0, 1]]
    generation.no_timestamps_token_id = token["notimestamps"]
    generation.suppress_tokens, generation.begin_suppress_tokens = [], [end]
    source = folder.with_name(f"{folder.name}-source")
    model.save_pretrained(source)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(source)  # noqa: S106
    TransformersConverter(str(source), copy_files=["tokenizer.json"]).convert(str(folder))
    return folder


def word_tokenizer(folder: Path, words: list[str]) -> None:
    """A tokenizer of whole words for open_clip and transformers."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    marks = ["<pad>", "<unk>", "<start>"]
    vocabulary = [*marks, *words, "<end>"]
    end = len(vocabulary) - 1
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(vocabulary)}, unk_token="<unk>"))  # noqa: S106
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 2), ("<end>", end)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "bos_token": "<start>",
        "eos_token": "<end>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def open_clip_config(words: list[str], *, captions: bool = False, bundled: bool = False) -> dict[str, object]:
    """A ViT of one layer and a text tower of one layer, 16 wide; with `captions` a CoCa."""
    text = {
        "context_length": 16,
        "vocab_size": 49408 if bundled else len(words) + 4,
        **({} if bundled else {"hf_tokenizer_name": "in this folder"}),
        "width": 32,
        "heads": 2,
        "layers": 1,
        "pool_type": "argmax",
    }
    vision: dict[str, object] = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    model: dict[str, object] = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    if captions:
        vision |= {"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 16, "output_tokens": True}
        text |= {"embed_cls": True, "output_tokens": True}
        model["embed_dim"] = 32
        model["multimodal_cfg"] = {
            "context_length": 16,
            "vocab_size": len(words) + 4,
            "width": 32,
            "heads": 2,
            "layers": 1,
            "attn_pooler_heads": 2,
        }
        model["custom_text"] = True
    return {"model_cfg": model, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}


def random_open_clip(
    folder: Path, *, words: list[str] = WORDS, captions: bool = False, pickled: bool = False, bundled: bool = False
) -> Path:
    """An open_clip local-dir; `pickled` writes torch's format, `bundled` leaves the tokenizer to open_clip's own."""
    from open_clip import create_model
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    if not bundled:
        word_tokenizer(folder, words)
    config = open_clip_config(words, captions=captions, bundled=bundled)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = create_model(f"local-dir:{folder}", load_weights=False)
    if captions:
        torch.nn.init.normal_(model.text_decoder.text_projection, std=0.1)  # open_clip leaves it as it finds it
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    if pickled:
        torch.save(weights, folder / "open_clip_pytorch_model.bin")
    else:
        save_file(weights, folder / "open_clip_model.safetensors")
    return folder


def random_sentences(folder: Path, *, words: list[str] = WORDS, max_tokens: int = 16, safe: bool = True) -> Path:
    """A sentence-transformers folder: a BERT of one layer, 16 wide, mean pooling."""
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True, exist_ok=True)
    word_tokenizer(folder, words)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words) + 4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    model = BertModel(config)
    model.save_pretrained(folder)
    if not safe:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    prefix = "sentence_transformers.models"
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": 0, "name": "0", "path": "", "type": f"{prefix}.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{prefix}.Pooling"},
            ]
        )
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": max_tokens}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder
