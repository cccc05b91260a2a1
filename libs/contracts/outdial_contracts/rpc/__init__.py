"""rpc stubs, generated from schemas/rpc by `make contracts`."""
