"""The policy pack `india-dpdp`: what a stack may not do, of any program in any language."""
