"""Compare each kind of teacher that `annotate` accepts, and its student.

WORK/SIZE/SEED/ is a folder of `spacy-distill sweep`, with its corpus, table and trained teacher.
From the same labelled sentences this script also makes a stock `ner`, a Hugging Face checkpoint and
rules. Teachers and students that exist already are not made again.
"""

import random
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Callable, Dict, List, Sequence

import spacy
import torch
import typer
from spacy.cli.init_config import init_config
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.docbins import read_docbins
from spacy_distill.docs import copy_words
from spacy_distill.tags import make_tags
from spacy_distill.teachers.choose import load_teacher

# For the checkpoint: passes over the labelled sentences, sentences per step, learning rate.
EPOCHS, BATCH, RATE = 6, 8, 2e-4
# The label that transformers ignores, for positions without a label.
NO_LABEL = -100
Make = Callable[[Path, Path, int], None]


def print_teachers(
    work: Annotated[Path, typer.Argument(help="The sweep's --work")],
    transformer: Annotated[Path, typer.Argument(help="The teacher's weights, as of the sweep")],
    size: Annotated[int, typer.Option(help="Labelled sentences")] = 300,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas")] = "0,1,2",
) -> None:
    """Print test F1 in percent of teachers and students, mean and standard deviation over seeds."""
    found: Dict[str, List[List[float]]] = {}
    for seed in map(int, seeds.split(",")):
        folder = work / str(size) / str(seed)
        teachers = make_teachers(folder, transformer, seed)
        for kind, paths in teachers.items():
            student = distil(folder, paths, table=work / "table.npz", seed=seed)
            pair = [score(folder, paths), score(folder, [student])]
            found.setdefault(kind, []).append(pair)
            print(f"{size}/{seed} {kind}: {pair[0]:.1f} {pair[1]:.1f}", file=sys.stderr)
    print("| kind | teacher | student |\n| --- | ---: | ---: |")
    for kind, pairs in found.items():
        print(f"| {kind} | " + " | ".join(map(describe, zip(*pairs))) + " |")


def describe(scores: Sequence[float]) -> str:
    spread = f" ± {stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{mean(scores):.1f}{spread}"


def make_teachers(folder: Path, transformer: Path, seed: int) -> Dict[str, List[Path]]:
    """Train missing teachers. RETURNS (Dict[str, List[Path]]): The teachers of each kind."""
    ours = folder / "training" / "teacher" / "model-best"
    stock = folder / "teachers" / "ner" / "model-best"
    checkpoint, rules = folder / "teachers" / "checkpoint", folder / "teachers" / "rules"
    if not stock.exists():
        train_stock(folder, stock.parent, seed=seed)
    if not checkpoint.exists():
        train_checkpoint(folder, checkpoint, transformer=transformer, seed=seed)
    if not rules.exists():
        write_rules(folder, rules)
    return {
        "`ner_tagger` on a transformer": [ours],
        "stock `ner` (`HashEmbedCNN`)": [stock],
        "Hugging Face checkpoint": [checkpoint],
        "`doc.ents` alone (`entity_ruler`)": [rules],
        "the first three, averaged": [ours, stock, checkpoint],
    }


def train_stock(folder: Path, output: Path, *, seed: int) -> None:
    output.mkdir(parents=True, exist_ok=True)
    config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", silent=True)
    config.to_disk(output / "config.cfg")
    run(
        *("spacy", "train", output / "config.cfg", "--output", output, "--system.seed", seed),
        *("--paths.train", folder / "corpus" / "labelled.spacy"),
        *("--paths.dev", folder / "corpus" / "dev.spacy"),
        *("--training.max_steps", 1000, "--training.eval_frequency", 100),
    )


def train_checkpoint(folder: Path, output: Path, *, transformer: Path, seed: int) -> None:
    """Fine-tune a transformer in the usual way: only the first piece of each word is labelled."""
    random.seed(seed)
    torch.manual_seed(seed)
    docs = read_labelled(folder)
    tags = make_tags(sorted({ent.label_ for doc in docs for ent in doc.ents}), scheme="iob")
    tokenizer = AutoTokenizer.from_pretrained(transformer)
    names = dict(enumerate(tags))
    model = AutoModelForTokenClassification.from_pretrained(
        transformer, id2label=names, label2id={tag: i for i, tag in names.items()}
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    n_steps = EPOCHS * -(-len(docs) // BATCH)
    schedule = torch.optim.lr_scheduler.LinearLR(
        optimizer, start_factor=1.0, end_factor=0.0, total_iters=n_steps
    )
    model.train()
    for _ in range(EPOCHS):
        random.shuffle(docs)
        for batch in minibatch(docs, size=BATCH):
            words = [[token.text for token in doc] for doc in batch]
            inputs = tokenizer(
                words, is_split_into_words=True, padding=True, truncation=True, return_tensors="pt"
            )
            labels = torch.full_like(inputs["input_ids"], NO_LABEL)
            for i, doc in enumerate(batch):
                places = inputs.word_ids(i)
                for j, word in enumerate(places):
                    if word is not None and word != places[j - 1]:
                        token = doc[word]
                        tag = f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type else "O"
                        labels[i, j] = tags.index(tag)
            optimizer.zero_grad()
            model(**inputs, labels=labels).loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


def write_rules(folder: Path, output: Path) -> None:
    """Save a pipeline that only matches the entities of the labelled sentences."""
    nlp = spacy.blank("en")
    names = {(ent.text, ent.label_) for doc in read_labelled(folder) for ent in doc.ents}
    patterns = [{"label": label, "pattern": text} for text, label in sorted(names)]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    nlp.to_disk(output)


def read_labelled(folder: Path) -> List[Doc]:
    return list(read_docbins(folder / "corpus" / "labelled.spacy", spacy.blank("en").vocab))


def distil(folder: Path, teachers: Sequence[Path], *, table: Path, seed: int) -> Path:
    """Annotate, train and tune, unless that was done. RETURNS (Path): The student."""
    name = "-".join(
        path.parent.name if path.name == "model-best" else path.name for path in teachers
    )
    output = folder / "students" / name
    model = output / "model-best"
    if (output / "tuned.json").exists():
        return model
    for part in ("labelled", "unlabelled"):
        also = [word for path in teachers[1:] for word in ("--also", path)]
        source = folder / "corpus" / f"{part}.spacy"
        run("spacy_distill", "annotate", teachers[0], source, output / "annotated" / part, *also)
    run(
        *("spacy", "train", "configs/student.cfg", "--output", output, "--system.seed", seed),
        *("--paths.labelled", output / "annotated" / "labelled"),
        *("--paths.unlabelled", output / "annotated" / "unlabelled"),
        *("--paths.dev", folder / "corpus" / "dev.spacy", "--paths.table", table),
    )
    dev = folder / "corpus" / "dev.spacy"
    run("spacy_distill", "tune", model, dev, "--output", output / "tuned.json")
    return model


def score(folder: Path, teachers: Sequence[Path]) -> float:
    """Compute the F1 in percent of one teacher, or of several averaged, on the test set."""
    first, *others = [load_teacher(str(path)) for path in teachers]
    gold = list(read_docbins(folder / "corpus" / "test.spacy", spacy.blank("en").vocab))
    found = annotate_docs(first, [copy_words(doc) for doc in gold], others=others)
    scores = get_ner_prf([Example(predicted, doc) for predicted, doc in zip(found, gold)])
    return 100 * (scores["ents_f"] or 0.0)


def run(*words: object) -> None:
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    typer.run(print_teachers)
