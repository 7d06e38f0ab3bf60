"""Which GPUs a language model needs: memory and speed by published formulas, machines and rupees by the catalogue."""
