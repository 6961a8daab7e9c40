"""Tests over real HTTP between processes."""
