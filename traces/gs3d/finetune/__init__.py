"""Boundary-aware fine-tuning: a differentiable rasteriser in streaming order, and its training."""
