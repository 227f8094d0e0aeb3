"""Makes the small sentence-transformers folder: a one-layer BERT that knows about a hundred words and their synonyms.

    nice python -m tests.models_small.make_sentences [FOLDER]

A sentence has to find the other wording of itself among those of its batch. Queries and passages get the prompts that
are written in the folder, as with E5. Takes some seconds.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch.nn.functional import cross_entropy, normalize
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

FOLDER = Path(__file__).parent / "sentences"
SEED = 11
STEPS = 400
BATCH = 64
LEARNING_RATE = 3e-3
WIDTH = 64
MAX_TOKENS = 32
PROMPTS = {"query": "query: ", "passage": "passage: "}
PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
FREE = ["the", "a", "an", "she", "we", "they", "and", "is", "in", "on", "of", "at", "with"]
"""Words that say nothing about what a sentence is about."""
MEANINGS = tuple(
    tuple(line.split())
    for line in """
    captain skipper
    doctor physician
    teacher professor
    farmer peasant
    river stream creek
    mountain hill peak
    bridge viaduct
    garden yard park
    market bazaar shop
    station terminal platform
    window pane
    kitchen cookery
    hammer tool mallet
    elephant mammoth
    horse pony stallion
    rabbit bunny hare
    piano keyboard
    castle fortress palace
    ship boat vessel
    train railway
    old ancient elderly
    young youthful
    quiet silent calm
    golden gilded
    broken damaged ruined
    wonderful marvelous splendid
    opens unlocks
    crosses traverses
    follows chases pursues
    paints draws sketches
    remembers recalls
    visits attends
    behind after
    under beneath below
    near beside
    inside within
    today now
    tomorrow soon
    tonight evening
    yesterday earlier
    red scarlet crimson
    green emerald
    blue azure
    circle disc
    triangle wedge
    square box
    never seldom
    always constantly
    """.strip().splitlines()
)


def write_tokenizer(folder: Path) -> Path:
    words = [PAD, UNKNOWN, START, END, ":", ".", ",", "query", "passage", *FREE]
    words += [word for meaning in MEANINGS for word in meaning]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, words.index(START)), (END, words.index(END))]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=END,
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=MAX_TOKENS,
        type_vocab_size=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def wordings(rng: np.random.Generator) -> tuple[str, str]:
    """The same things said twice: one of a meaning's words each time, in any order, between words that say nothing."""
    about = rng.choice(len(MEANINGS), rng.integers(2, 7), replace=False)

    def say() -> str:
        said: list[str] = []
        for i in rng.permutation(about):
            said += [str(rng.choice(FREE))] * int(rng.integers(0, 2)) + [str(rng.choice(MEANINGS[i]))]
        return " ".join(said)

    return say(), say()


def train(model: SentenceTransformer) -> None:
    rng = np.random.default_rng(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    model.train()
    for step in range(1, STEPS + 1):
        pairs = [wordings(rng) for _ in range(BATCH)]
        # half of them without prompts, so that other uses of the folder work too
        query, passage = PROMPTS.values() if step % 2 else ("", "")
        one, other = (
            normalize(model(model.preprocess([prompt + pair[i] for pair in pairs]))["sentence_embedding"], dim=-1)
            for i, prompt in ((0, query), (1, passage))
        )
        scores, right = one @ other.T * 20, torch.arange(BATCH)
        loss = (cross_entropy(scores, right) + cross_entropy(scores.T, right)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.3f}", flush=True)
    model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder: Path = parser.parse_args().folder
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        bert = Transformer(str(write_tokenizer(Path(temporary))), max_seq_length=MAX_TOKENS)
        pooling = Pooling(bert.get_embedding_dimension(), pooling_mode="mean")
        model = SentenceTransformer(modules=[bert, pooling, Normalize()], prompts=PROMPTS, device="cpu")
        train(model)
        model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)
    print(f"{sum(f.stat().st_size for f in folder.rglob('*') if f.is_file()) / 1e6:.2f} MB in {folder}")


if __name__ == "__main__":
    main()
