"""Pretrained encoders: from frames to features."""
