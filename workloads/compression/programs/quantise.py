"""INT8 by torchao, INT4 in the packed layout of compressed-tensors, which transformers and vLLM read.

torchao stores four bits as four only in layouts of a CUDA or an ARM kernel; on other machines each takes a byte.
"""

from __future__ import annotations

from pathlib import Path

from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    QuantizationStrategy,
    apply_quantization_config,
)
from compressed_tensors.quantization.utils import calculate_qparams
from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig
from transformers import TorchAoConfig

from workloads.compression.programs.layers import check_group, linears
from workloads.compression.programs.source import Source


def int8_weight_only(source: Source, result: Path) -> None:
    """Weights in eight bits, a scale for each row; what they are multiplied with stays as it is."""
    source.load(quantization_config=TorchAoConfig(Int8WeightOnlyConfig())).save_pretrained(result)


def int8_dynamic(source: Source, result: Path) -> None:
    """Weights and, as they come, activations in eight bits."""
    quantised = TorchAoConfig(Int8DynamicActivationInt8WeightConfig())
    source.load(quantization_config=quantised).save_pretrained(result)


def int4(source: Source, result: Path, group_size: int) -> None:
    """Weights in four bits, a scale for each group of neighbours in a row; rounded to the nearest."""
    model = source.load()
    for name, layer in linears(model).items():
        check_group(group_size, name, layer.in_features)
    weights = QuantizationArgs(
        num_bits=4, strategy=QuantizationStrategy.GROUP, group_size=group_size, symmetric=True
    )
    output = [name for name, one in model.named_modules() if one is model.get_output_embeddings()]
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    apply_quantization_config(model, QuantizationConfig(config_groups={"all": scheme}, ignore=output))
    for layer in linears(model).values():
        groups = layer.weight.detach().unflatten(1, (-1, group_size))
        scale, _ = calculate_qparams(groups.amin(-1), groups.amax(-1), weights)
        layer.weight_scale.data.copy_(scale)
    packed = ModelCompressor.from_pretrained_model(model)
    packed.compress_model(model)
    model.save_pretrained(result)
    packed.update_config(str(result))
