"""A very small language model that runs here: it writes from a grammar of a few dozen words, and knows four languages.

It stands where a real model would: it streams word by word, takes its time, and says different things about different
subjects. It is seeded by what it is asked, so that the same question gets the same answer, and a test can know it.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

PACE = 0.005
"""Seconds from word to word."""

WORDS = {
    "the": ("el", "le", "das"),
    "a": ("un", "un", "ein"),
    "small": ("pequeño", "petit", "kleine"),
    "quiet": ("tranquilo", "calme", "stille"),
    "old": ("viejo", "vieux", "alte"),
    "bright": ("brillante", "brillant", "helle"),
    "river": ("río", "fleuve", "Fluss"),
    "garden": ("jardín", "jardin", "Garten"),
    "engine": ("motor", "moteur", "Motor"),
    "teacher": ("maestro", "maître", "Lehrer"),
    "letter": ("mensaje", "message", "Brief"),
    "follows": ("sigue", "suit", "folgt"),
    "finds": ("encuentra", "trouve", "findet"),
    "remembers": ("recuerda", "rappelle", "erinnert"),
    "carries": ("lleva", "porte", "trägt"),
    "slowly": ("despacio", "lentement", "langsam"),
    "again": ("otra vez", "encore", "wieder"),
    "today": ("hoy", "aujourd'hui", "heute"),
}
LANGUAGES = {"spanish": 0, "french": 1, "german": 2}
KINDS = {
    "adjective": ("small", "quiet", "old", "bright"),
    "noun": ("river", "garden", "engine", "teacher", "letter"),
    "verb": ("follows", "finds", "remembers", "carries"),
    "adverb": ("slowly", "again", "today"),
}
SENTENCE = ("the", "adjective", "noun", "verb", "a", "adjective", "noun", "adverb")


def answer_to(prompt: str, sentences: int = 2) -> list[str]:
    """The words of the answer to a prompt."""
    dice = random.Random(hashlib.sha256(prompt.encode()).digest())  # noqa: S311  # it writes prose
    return [dice.choice(KINDS.get(kind, (kind,))) for _ in range(sentences) for kind in SENTENCE]


async def write(prompt: str) -> AsyncIterator[dict[str, str]]:
    """Stream the answer, and end by saying all of it."""
    words = answer_to(prompt)
    for word in words:
        await asyncio.sleep(PACE)
        yield {"type": "token", "text": word}
    yield {"type": "done", "text": " ".join(words)}


async def summarize(text: str) -> AsyncIterator[dict[str, str]]:
    """Stream the nouns of a text as its summary."""
    nouns = list(dict.fromkeys(word for word in text.split() if word in KINDS["noun"]))
    for noun in nouns:
        await asyncio.sleep(PACE)
        yield {"type": "summary", "text": noun}
    yield {"type": "done", "summary": f"about: {', '.join(nouns)}"}


def in_language(text: str, language: str) -> str:
    """A text in one of the languages, word by word."""
    column = LANGUAGES[language]
    return " ".join(WORDS[word][column] if word in WORDS else word for word in text.split())


async def translate(text: str, language: str) -> AsyncIterator[dict[str, str]]:
    """Stream a translation."""
    for word in text.split():
        await asyncio.sleep(PACE)
        yield {"type": "translation", "language": language, "text": in_language(word, language)}
    yield {"type": "done", "translation": in_language(text, language)}
