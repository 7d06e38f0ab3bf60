"""Tokenizers: "bytes", which needs no file, and those of Hugging Face folders."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .publication import scratch
from .recipe import RecipeError

END = 256
# 256 bytes, the end of a text, and what makes the number divisible by 8 for a mesh's sake.
BYTES_VOCABULARY = 264


@dataclass(frozen=True)
class Encoder:
    """`digest`: of all that decides the numbers of a text's tokens."""

    name: str
    digest: str
    vocabulary: int
    end: int
    encode: Callable[[list[str]], list[list[int]]]


def encoder(name: str) -> Encoder:
    """The tokenizer of a recipe; RecipeError if the folder holds none."""
    if name == "bytes":
        return Encoder(name, _digest("bytes, 256 ends a text"), BYTES_VOCABULARY, END, _encode_bytes)
    from transformers import AutoTokenizer

    from .models import WANTED_FILES, download

    with scratch(), tempfile.TemporaryDirectory() as copies:
        source = Path(name)
        if "://" in name:
            source = Path(copies)
            download(name, source, tuple(set(WANTED_FILES) - {".safetensors"}))
        try:
            loaded = AutoTokenizer.from_pretrained(source, use_fast=True)
        except (OSError, ValueError, TypeError, KeyError) as error:
            line = str(error).strip().splitlines()[0]
            raise RecipeError(
                f"data.tokenizer is {name}, which holds no tokenizer of Hugging Face: {line}"
            ) from error
    if loaded.eos_token_id is None:
        raise RecipeError(
            f"data.tokenizer is {name}, which has no token for the end of a text: set eos_token"
        )
    digest = _digest(f"{loaded.backend_tokenizer.to_str()} {loaded.eos_token_id}")

    def encode(texts: list[str]) -> list[list[int]]:
        return loaded(texts, add_special_tokens=False)["input_ids"]

    return Encoder(name, digest, len(loaded), loaded.eos_token_id, encode)


def byte_tokenizer() -> Any:
    """The tokenizer "bytes" as one of Hugging Face: what TRL takes, and what an exported model is served with."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = bytes_to_unicode()
    backend = Tokenizer(models.BPE(vocab={letters[byte]: byte for byte in range(256)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken("<|end|>", special=True), AddedToken("<|pad|>", special=True)])
    loaded = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|end|>", pad_token="<|pad|>")
    loaded.chat_template = (
        "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    return loaded


def _encode_bytes(texts: list[str]) -> list[list[int]]:
    return [list(text.encode()) for text in texts]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
