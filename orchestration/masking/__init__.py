"""Secrets → three stars, in whatever is kept, shown or passed on: text, values, records and streams of bytes."""

from orchestration.masking.masker import MASK, Masker
from orchestration.masking.spellings import SHORTEST, spellings
from orchestration.masking.stream import StreamMasker

__all__ = ["MASK", "SHORTEST", "Masker", "StreamMasker", "spellings"]
