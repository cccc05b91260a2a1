"""The gate and the gateways over gRPC."""
