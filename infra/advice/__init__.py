"""Which GPUs a language model needs: memory and speed by published formulas, machines and rupees by the catalogue."""

from infra.advice.check_fits import check_fits, unchecked

__all__ = ["check_fits", "unchecked"]
