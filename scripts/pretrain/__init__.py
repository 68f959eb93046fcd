"""Pretrain modules."""
