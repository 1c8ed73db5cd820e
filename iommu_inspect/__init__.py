"""Say, before anything is touched, what the kernel will answer about DMA ownership."""

__version__ = "0.1.0"
