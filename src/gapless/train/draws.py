"""Every random draw of a training, keyed by what it is for: no global generator is read or written."""

from gapless.augment.draws import key, order, stream, uniforms

__all__ = ["key", "order", "stream", "uniforms"]
