"""How vLLM loads a model's weights with `--load-format=runai_streamer`, without vLLM: the same calls of the streamer.

The patterns are those of vllm/config/model.py (maybe_pull_model_tokenizer_for_runai), the rest is
vllm/model_executor/model_loader/runai_streamer_loader.py.
"""

import sys
import tempfile

from runai_model_streamer import SafetensorsStreamer, list_safetensors, pull_files

uri = sys.argv[1].rstrip("/") + "/"
folder = tempfile.mkdtemp()
pull_files(uri, folder, ["*.model", "*.py", "*.json"], None)
pull_files(uri, folder, None, ["*.pt", "*.safetensors", "*.bin", "*.tensors", "*.pth"])
files = list_safetensors(uri)
assert len(files) == 1, files
with SafetensorsStreamer() as streamer:
    streamer.stream_files(files)
    tensors = {name: tensor.clone() for name, tensor in streamer.get_tensors()}
assert tensors["weight"].tolist() == [1.0, 2.0, 3.0, 4.0], tensors
