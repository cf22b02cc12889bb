"""The OpenVINO engine and its converted models."""
