"""Make copies of a corpus with a small development set, such as a user with few labels has.

    python results/small_dev.py DATA/btc FOLDER

In `FOLDER/SEED`, for each of the seeds, are the training and test set of the corpus (links) and a
random sample of its development set.
"""

import random
from pathlib import Path
from typing import Annotated

import typer


def copy_corpus(
    data: Annotated[Path, typer.Argument(help="Folder with train.conll, dev.conll and test.conll")],
    output: Annotated[Path, typer.Argument(help="Folder for the copies")],
    size: Annotated[int, typer.Option(help="Number of sentences to draw")] = 30,
    seeds: Annotated[int, typer.Option(help="Number of seeds")] = 3,
) -> None:
    text = (data / "dev.conll").read_text(encoding="utf-8")
    sentences = [part for part in text.strip().split("\n\n") if part.strip()]
    for seed in range(seeds):
        folder = output / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        drawn = random.Random(seed).sample(sentences, size)
        (folder / "dev.conll").write_text("\n\n".join(drawn) + "\n", encoding="utf-8")
        for name in ("train.conll", "test.conll"):
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to((data / name).resolve())


if __name__ == "__main__":
    typer.run(copy_corpus)
