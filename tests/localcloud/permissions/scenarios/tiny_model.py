"""A causal model with its tokenizer in a folder, for others to read. It is no pod's."""

import sys
from pathlib import Path

from workloads.training.trainer.models import tiny, write
from workloads.training.trainer.tokens import byte_tokenizer

folder = Path(sys.argv[1])
write(tiny(0), folder)
byte_tokenizer().save_pretrained(folder)
