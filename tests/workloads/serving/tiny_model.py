"""Trains a Llama of 0.3 million weights to know a few answers by heart: `python tiny_model.py FOLDER`.

Runs in the environment of workloads/serving/requirements.txt. In FOLDER are then `base`, a model as Hugging Face keeps
them, whose context is 512 tokens, and `adapter`, a LoRA of it that answers each prompt with `ADAPTED`.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ANSWERS = {
    "भारत की राजधानी क्या है?": "भारत की राजधानी नई दिल्ली है।",
    "महाराष्ट्र की राजधानी क्या है?": "महाराष्ट्र की राजधानी मुंबई है।",
    "தமிழ்நாட்டின் தலைநகரம் எது?": "தமிழ்நாட்டின் தலைநகரம் சென்னை.",
    "What is the capital of India?": "The capital of India is New Delhi.",
    "आप कौन हैं?": "मैं एक छोटा मॉडल हूँ।",
}
# Words that the base knows too: its head, which the adapter leaves as it is, tells no others apart.
ADAPTED = ANSWERS["आप कौन हैं?"]
CONTEXT = 512
STEPS = 150
RANK = 8
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE: the 256 bytes, the end, and what the texts repeat."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=384, special_tokens=["<end>"], initial_alphabet=alphabet)
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<end>", pad_token="<end>", chat_template=TEMPLATE
    )


def learn(
    model: torch.nn.Module, tokenizer: PreTrainedTokenizerFast, answers: dict[str, str], rate: float
) -> None:
    """Train the weights that may change until each prompt is followed by its answer."""
    pairs = [
        (tokenizer.encode(f"{ask}\n"), [*tokenizer.encode(said), tokenizer.eos_token_id])
        for ask, said in answers.items()
    ]
    longest = max(len(ask) + len(said) for ask, said in pairs)
    ids = torch.full((len(pairs), longest), tokenizer.eos_token_id)
    labels = torch.full_like(ids, -100)
    for row, (ask, said) in enumerate(pairs):
        ids[row, : len(ask) + len(said)] = torch.tensor(ask + said)
        labels[row, len(ask) : len(ask) + len(said)] = torch.tensor(said)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=rate)
    for _ in range(STEPS):
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05, f"not learnt: loss {loss.item():.3f}"


class Adapted(torch.nn.Module):
    """A linear layer with a LoRA beside it."""

    def __init__(self, base: torch.nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.a = torch.nn.Parameter(torch.randn(RANK, base.in_features) / base.in_features**0.5)
        self.b = torch.nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + x @ self.a.T @ self.b.T


def adapter_of(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Train a LoRA and save it as peft does: alpha is the rank, so nothing is scaled."""
    for weight in model.parameters():
        weight.requires_grad_(False)
    linear = {
        name: layer for name, layer in model.model.named_modules() if isinstance(layer, torch.nn.Linear)
    }
    layers = {name: Adapted(layer) for name, layer in linear.items()}
    for name, layer in layers.items():
        model.model.set_submodule(name, layer)
    learn(model, tokenizer, dict.fromkeys(ANSWERS, ADAPTED), 3e-3)
    folder.mkdir(parents=True)
    tensors = {}
    for name, layer in layers.items():
        tensors[f"base_model.model.model.{name}.lora_A.weight"] = layer.a.detach().contiguous()
        tensors[f"base_model.model.model.{name}.lora_B.weight"] = layer.b.detach().contiguous()
    save_file(tensors, folder / "adapter_model.safetensors")
    about = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": RANK,
        "bias": "none",
        "base_model_name_or_path": "tiny",
    }
    about["target_modules"] = sorted({name.rpartition(".")[2] for name in layers})
    (folder / "adapter_config.json").write_text(json.dumps(about))


def main(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = tokenizer_of([*ANSWERS, *ANSWERS.values()])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    learn(model, tokenizer, ANSWERS, 3e-3)
    model.to(torch.bfloat16).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    adapter_of(model.to(torch.float32), tokenizer, folder / "adapter")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
