"""The Open Inference Protocol v2, over REST and gRPC, on the same workflow.

A row of tensors is a prediction request: either its JSON whole, or a tensor for each field of the context, or the
features themselves.
"""
