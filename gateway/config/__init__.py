"""The configuration: one YAML file in, one frozen document out."""
