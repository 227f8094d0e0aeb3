"""Trains the small Whisper on synthetic speech and writes it in CTranslate2's format.

    nice python -m tests.models_small.make_whisper [FOLDER]

Besides the tokens, two things that a small model cannot find out from little speech are taught straight away, as the
synthesiser knows them: which word is heard at each moment (a layer that is thrown away afterwards), and where one head
of the last layer has to look when it writes a word. That head is the one that word times are read from.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from ctranslate2.converters import TransformersConverter
from faster_whisper.tokenizer import _LANGUAGE_CODES as LANGUAGES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from tests.models_small.speech import VOCABULARY
from tests.models_small.speech_windows import IGNORED, POSITIONS, WORD_IDS, Batch, Stage, Vocabulary, Windows

FOLDER = Path(__file__).parent / "whisper"
SEED = 5
WIDTH = 96
LAYERS = 2
HEADS = 3
LEARNING_RATE = 2e-3
FIRST_SHIFTS = ((-5.0, 0.0, 5.0), (-12.0, 0.0, 12.0))
"""How far each head of the encoder's layers looks ahead before it has learnt anything, in positions of 20 ms."""
FIRST_SHARPNESS = 1.2
STAGES = (Stage(750, 16, 320, 2), Stage(150, 10, 640, 3), Stage(800, 8, POSITIONS, 8))
ALIGNMENT_HEAD = (LAYERS - 1, 0)
# how far a timestamp may be off and still be partly right, in steps of 20 ms
STAMP_BLUR = torch.exp(-0.5 * (torch.arange(-6, 7) / 2.0) ** 2)


def make_tokenizer() -> Tokenizer:
    """Byte-level BPE in which each word is one token, and Whisper's special tokens; timestamps follow the last one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=5000, min_frequency=1, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([f" {word}." for words in VOCABULARY.values() for word in words], trainer)
    # the empty token is how CTranslate2 knows a model of many languages
    written = json.loads(tokenizer.to_str())
    written["model"]["vocab"][""] = len(written["model"]["vocab"])
    tokenizer = Tokenizer.from_str(json.dumps(written))
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>"]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def make_model(tokenizer: Tokenizer) -> WhisperForConditionalGeneration:
    """Untrained; timestamps begin as the positions of the encoder, which they stand for."""
    v = Vocabulary(tokenizer)
    config = WhisperConfig(
        vocab_size=v.first_time + POSITIONS + 1,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_source_positions=POSITIONS,
        max_target_positions=448,
        # with the 0.02 of large models a narrow one learns nothing but the positions for a long time
        init_std=0.08,
        bos_token_id=v.end,
        eos_token_id=v.end,
        pad_token_id=v.end,
        decoder_start_token_id=v.start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    generation: Any = model.generation_config
    generation.lang_to_id = {f"<|{code}|>": v.language(code) for code in LANGUAGES}
    generation.alignment_heads = [list(ALIGNMENT_HEAD)]
    generation.suppress_tokens = []
    generation.begin_suppress_tokens = [v.end]
    generation.no_timestamps_token_id = v.no_times
    generation.is_multilingual = True
    # or loading would build it from the model's configuration, without all of this
    generation._from_model_config = False
    with torch.no_grad():
        positions = model.model.encoder.embed_positions.weight
        model.model.decoder.embed_tokens.weight[v.first_time : v.first_time + POSITIONS] = 0.1 * positions
        for layer, shifts in zip(model.model.encoder.layers, FIRST_SHIFTS, strict=True):
            for projection, sign in ((layer.self_attn.q_proj, 1.0), (layer.self_attn.k_proj, 0.0)):
                for head, shift in enumerate(shifts):
                    projection.weight[head * WIDTH // HEADS : (head + 1) * WIDTH // HEADS] += _looking(sign * shift)
    return model


def _looking(shift: float) -> Tensor:
    """A head's projection (width / heads, width) of the position that lies `shift` later, from its quickest waves.

    A query made so finds the keys of the positions about `shift` later: the encoder begins with each head looking a
    little before, at or after its own place, and need not find out what near means.
    """
    half, waves = WIDTH // 2, WIDTH // HEADS // 2
    out = torch.zeros(2 * waves, WIDTH)
    for i in range(waves):
        # the positions are sines, then cosines, of these frequencies
        turn = torch.tensor(shift * 10_000 ** (-i / (half - 1)))
        out[i, i], out[i, half + i] = turn.cos(), turn.sin()
        out[waves + i, i], out[waves + i, half + i] = -turn.sin(), turn.cos()
    return FIRST_SHARPNESS * out


def _heads(x: Tensor, projection: nn.Linear) -> Tensor:
    return projection(x).unflatten(-1, (HEADS, -1)).transpose(1, 2)


def _attend(attention: Any, x: Tensor, over: Tensor, *, causal: bool = False) -> Tensor:
    q, k, v = _heads(x, attention.q_proj), _heads(over, attention.k_proj), _heads(over, attention.v_proj)
    return attention.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2))


def _feed(layer: Any, x: Tensor) -> Tensor:
    return x + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(x))))


def encode(model: WhisperForConditionalGeneration, mel: Tensor, offset: Tensor) -> Tensor:
    """Whisper's encoder over windows shorter than its 30 s that lie at `offset`; (b, positions, width)."""
    encoder = model.model.encoder
    x = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[offset[:, None] + torch.arange(x.shape[1])]
    for layer in encoder.layers:
        normal = layer.self_attn_layer_norm(x)
        x = _feed(layer, x + _attend(layer.self_attn, normal, normal))
    return encoder.layer_norm(x)


def decode(model: WhisperForConditionalGeneration, tokens: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (b, t, vocabulary), and log attention (b, t, positions) of the head that word times are read from."""
    decoder = model.model.decoder
    x = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[: tokens.shape[1]]
    for layer in decoder.layers:
        normal = layer.self_attn_layer_norm(x)
        x = x + _attend(layer.self_attn, normal, normal, causal=True)
        asking = layer.encoder_attn_layer_norm(x)
        x = _feed(layer, x + _attend(layer.encoder_attn, asking, heard))
    attention, head = decoder.layers[ALIGNMENT_HEAD[0]].encoder_attn, ALIGNMENT_HEAD[1]
    q, k = _heads(asking, attention.q_proj)[:, head], _heads(heard, attention.k_proj)[:, head]
    looked = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).log_softmax(-1)
    return model.proj_out(decoder.layer_norm(x)), looked


def losses(model: WhisperForConditionalGeneration, frame_words: nn.Linear, batch: Batch, first_time: int) -> Tensor:
    """(3,): of tokens and timestamps, of where the alignment head looks, of the words heard at each moment."""
    heard = encode(model, batch.mel, batch.offset)
    scores, looked = decode(model, batch.tokens, heard)
    logs = scores.log_softmax(-1)
    text = F.nll_loss(logs.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED, reduction="sum")
    count = (batch.labels != IGNORED).sum()
    timed = batch.stamps >= 0
    if timed.any():
        near = batch.stamps[timed][:, None] + torch.arange(-6, 7)
        weight = STAMP_BLUR * ((near >= 0) & (near <= POSITIONS))
        picked = logs[timed].gather(1, first_time + near.clamp(0, POSITIONS))
        text = text - (weight / weight.sum(1, keepdim=True) * picked).sum()
        count = count + timed.sum()
    place = torch.arange(looked.shape[-1])
    wanted = (place >= batch.spans[..., :1]) & (place < batch.spans[..., 1:])
    size = wanted.sum(-1)
    look = -(looked * wanted).sum(-1)[size > 0] / size[size > 0]
    frames = F.cross_entropy(frame_words(heard).flatten(0, 1), batch.frames.flatten())
    return torch.stack([text / count, look.mean() if len(look) else text * 0, frames])


def train(
    model: WhisperForConditionalGeneration, tokenizer: Tokenizer, stages: tuple[Stage, ...], options: argparse.Namespace
) -> None:
    frame_words = nn.Linear(WIDTH, len(WORD_IDS) + 1)
    both = nn.ModuleList([model, frame_words])
    if options.start:
        both.load_state_dict(torch.load(options.start, weights_only=True))
    parameters = [p for p in (*model.parameters(), *frame_words.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01)
    total = sum(stage.steps for stage in stages)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=total, pct_start=0.08)
    first_time, started = Vocabulary(tokenizer).first_time, time.monotonic()
    weights = torch.tensor([1.0, 0.5, 0.5])
    mean = torch.zeros(3)
    # one process speaks while this one learns
    loader = DataLoader(
        Windows(tokenizer.to_str(), stages, options.seed), batch_size=None, num_workers=1, prefetch_factor=4
    )
    for step, batch in enumerate(loader, start=1):
        parts = losses(model, frame_words, batch, first_time)
        optimizer.zero_grad()
        (parts * weights).sum().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        mean += parts.detach() / 25
        if step % 25 == 0:
            shown = ", ".join(
                f"{name} {value:.3f}" for name, value in zip(("text", "look", "frames"), mean, strict=True)
            )
            print(f"step {step} of {total}: {shown} after {time.monotonic() - started:.0f} s", flush=True)
            mean = torch.zeros(3)
        if step % 100 == 0 or step == total:
            write(model, tokenizer, options.folder)
            if options.keep:
                torch.save(both.state_dict(), options.keep)


def write(model: WhisperForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> None:
    """The folder that faster-whisper loads: weights as 8-bit numbers."""
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        special = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(temporary)
        WhisperFeatureExtractor().save_pretrained(temporary)
        copied = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(temporary, copy_files=copied).convert(str(folder), quantization="int8", force=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--stages", type=json.loads, help="[[steps, batch, positions, utterances], ...]")
    parser.add_argument("--keep", type=Path, help="file for the weights as torch writes them, to go on from later")
    parser.add_argument("--start", type=Path, help="such a file to go on from")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    train(model, tokenizer, tuple(Stage(*s) for s in options.stages) if options.stages else STAGES, options)
    print(f"{sum(file.stat().st_size for file in options.folder.iterdir()) / 1e6:.2f} MB in {options.folder}")


if __name__ == "__main__":
    main()
