"""The keys of a `config.json` that decide memory and speed; all others are ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from infra.settings.errors import refuse

Count = Annotated[int, Field(gt=0)]
NotNegative = Annotated[int, Field(ge=0)]


class Config(BaseModel):
    """A count of experts is 0 for a dense model; a feed-forward width of 0 is a model that has none (Mamba)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model_type: str = ""
    hidden_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    vocab_size: Count
    intermediate_size: NotNegative
    num_key_value_heads: Count | None = None
    head_dim: Count | None = Field(default=None, validate_default=True)
    tie_word_embeddings: bool | None = None
    max_position_embeddings: NotNegative = 0
    quantization_config: dict[str, Any] | None = None

    # Which layers attend to what.
    layer_types: list[str] | None = None
    layers_block_type: list[str] | None = None
    sliding_window: NotNegative | None = None
    use_sliding_window: bool | None = None
    max_window_layers: NotNegative = 0
    sliding_window_pattern: Count | None = None
    attention_chunk_size: NotNegative | None = None
    no_rope_layer_interval: Count | None = None
    full_attention_interval: Count | None = None
    attn_layer_period: Count | None = None
    attn_layer_offset: NotNegative = 0

    # A mixture of experts, and the layers of it that are dense.
    experts: NotNegative = Field(
        default=0, validation_alias=AliasChoices("num_local_experts", "num_experts", "n_routed_experts")
    )
    num_experts_per_tok: NotNegative = Field(default=0, validate_default=True)
    moe_intermediate_size: Count | None = None
    intermediate_size_mlp: Count | None = None
    shared_expert_intermediate_size: NotNegative = 0
    n_shared_experts: NotNegative | None = 0
    first_k_dense_replace: NotNegative = 0
    moe_layer_freq: Count | list[int] = 1
    decoder_sparse_step: Count = 1
    mlp_only_layers: list[int] = []
    interleave_moe_layer_step: Count = 1
    moe_layers: list[int] | None = None
    expert_layer_period: Count = 1
    expert_layer_offset: NotNegative = 0

    # Multi-head latent attention.
    kv_lora_rank: NotNegative | None = None
    q_lora_rank: NotNegative | None = None
    qk_nope_head_dim: Count | None = Field(default=None, validate_default=True)
    qk_rope_head_dim: Count | None = Field(default=None, validate_default=True)
    v_head_dim: Count | None = Field(default=None, validate_default=True)

    # Mamba and linear attention.
    mamba_d_state: NotNegative = 0
    mamba_d_conv: NotNegative = 0
    mamba_expand: NotNegative = 0
    mamba_dt_rank: NotNegative = 0
    state_size: NotNegative = 0
    n_groups: NotNegative = 0
    conv_kernel: NotNegative = 0
    linear_num_key_heads: NotNegative = 0
    linear_num_value_heads: NotNegative = 0
    linear_key_head_dim: NotNegative = 0
    linear_value_head_dim: NotNegative = 0
    linear_conv_kernel_dim: NotNegative = 0

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values: those of queries, unless the configuration has fewer."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def width_of_a_head(self) -> int:
        """The width of queries and values, which is the mean of the two where they differ."""
        if self.kv_lora_rank and self.v_head_dim:
            return (self.latent_query + self.v_head_dim) // 2
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def latent_query(self) -> int:
        """The width of a head's query in latent attention."""
        return (self.qk_nope_head_dim or 0) + (self.qk_rope_head_dim or 0)

    @property
    def latent(self) -> int:
        """Values that latent attention caches of a token in a layer; 0 without it."""
        return self.kv_lora_rank + (self.qk_rope_head_dim or 0) if self.kv_lora_rank else 0

    @property
    def window(self) -> int:
        """Tokens that a layer with a window attends to."""
        return self.attention_chunk_size or self.sliding_window or 0

    @property
    def expert_width(self) -> int:
        """The inner width of one expert's feed-forward network."""
        return self.moe_intermediate_size or self.intermediate_size

    @property
    def shared_width(self) -> int:
        """Llama 4 has one shared expert in every layer with experts, and no key for it."""
        if self.model_type == "llama4_text":
            return self.expert_width
        return self.shared_expert_intermediate_size or (self.n_shared_experts or 0) * self.expert_width

    @field_validator("num_key_value_heads")
    @classmethod
    def _heads_in_groups(cls, kv_heads: int | None, info: ValidationInfo) -> int | None:
        heads = info.data.get("num_attention_heads")
        if kv_heads and heads and heads % kv_heads:
            raise refuse(f"a divisor of num_attention_heads ({heads})")
        return kv_heads

    @field_validator("head_dim")
    @classmethod
    def _head_dim_follows(cls, head_dim: int | None, info: ValidationInfo) -> int | None:
        hidden, heads = info.data.get("hidden_size"), info.data.get("num_attention_heads")
        if head_dim is None and hidden and heads and hidden % heads:
            raise refuse(f"give it: hidden_size {hidden} is no multiple of num_attention_heads {heads}")
        return head_dim

    @field_validator("num_experts_per_tok")
    @classmethod
    def _experts_agree(cls, active: int, info: ValidationInfo) -> int:
        experts = info.data.get("experts", 0)
        if (experts and not active) or active > experts:
            raise refuse(f"1 to the count of experts ({experts})" if experts else "0: there are no experts")
        return active

    @field_validator("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    @classmethod
    def _latent_attention_has_widths(cls, width: int | None, info: ValidationInfo) -> int | None:
        if width is None and info.data.get("kv_lora_rank"):
            raise refuse("give it: kv_lora_rank says that the model has multi-head latent attention")
        return width
