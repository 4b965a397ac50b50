"""Baseline for docs/data.md, "Root nouns": spaCy's small English model with the rule of the official preparation.

Requires spacy and en_core_web_sm:  python bench/root-nouns-spacy.py [model name or folder]
"""
import collections
import pathlib
import sys

import spacy

NOUNS = {"NN", "NNS", "NNP", "NNPS"}
nlp = spacy.load(sys.argv[1] if len(sys.argv) > 1 else "en_core_web_sm")


def root_at(text):
    """Offset of the root noun; None if the entire caption is the root phrase."""
    words = nlp(text)
    root = next((w for w in words if w.dep_ == "ROOT" and w.tag_ != "UH"), None)
    if root is None or not any(w.tag_ in NOUNS | {"PRP"} for w in words):
        return None
    if any(w.tag_.startswith("VB") and w.dep_ == "compound" for w in root.children):
        return None
    if root.tag_ in NOUNS:
        return root.idx
    nouns = [w for w in root.children if w.tag_ in NOUNS | {"PRP"}]
    return nouns[0].idx if nouns else None


folder = pathlib.Path(__file__).parent.parent / "test/fixtures/root-nouns"
for name in ("captions.txt", "captions-blind.txt"):
    seen = collections.Counter()
    agreeing = collections.Counter()
    total = collections.Counter()
    for line in (folder / name).read_text(encoding="utf8").splitlines():
        if not line or line.startswith("#"):
            continue
        kind, caption = line[0], line[2:]
        half = "development" if seen[kind] % 2 == 0 else "held out"
        seen[kind] += 1
        marked = caption.find("[")
        found = root_at(caption.replace("[", "").replace("]", "").lower())
        for key in ((kind, half), ("all", half)):
            total[key] += 1
            agreeing[key] += (found if found is not None else -1) == marked
    for key in sorted(total):
        print(name, *key, f"{agreeing[key]}/{total[key]}")
