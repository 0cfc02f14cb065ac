"""The pure core: values and functions, no files, network, clock or framework."""
