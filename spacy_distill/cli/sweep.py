"""`spacy-distill sweep`: draw the learning curve, F1 against labelled sentences."""

import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Dict, Iterator, List, Optional, Sequence

import typer
from tqdm import tqdm
from wasabi import msg

from ..checks import require_installed
from ..errors import Errors
from ..files import check_apart, make_and_hold, read_json, write_json
from ..sweep.choices import Choice, add_chosen, read_choices
from ..sweep.comparisons import Compared, compare_systems
from ..sweep.configs import check_overrides
from ..sweep.curves import order_rows, pool_curves, size_curves
from ..sweep.describe import describe_command
from ..sweep.inputs import CONFIGS, WEIGHTS, Settings, describe_source, fingerprint, source_inputs
from ..sweep.outdated import check_rows, drop_outdated, read_systems
from ..sweep.plan import BUILT_IN, Run, choose_systems, make_runs
from ..sweep.rows import Key, Row, read_rows, write_rows
from ..sweep.runner import Runner, check_test_sets, leave_out
from ..sweep.tables import make_notes, make_tables, name_corpus, to_markdown
from .options import Gpu, read_numbers, read_seeds, split_list, split_paths
from .showing import show_tables
from .weights import check_model

BAR = "{desc:<40.40} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
# Options that do not change the results of a sweep.
NOT_RECORDED = ("work", "workers", "gpu", "overwrite")


def sweep_cli(
    context: typer.Context,
    data: Annotated[
        str, typer.Argument(help="The corpus: a folder, or an id on the hub, as for 'corpus'")
    ],
    output: Annotated[
        Path, typer.Argument(help="Folder for sweep.jsonl, .md, .png and .svg; one for each corpus")
    ],
    sizes: Annotated[
        str,
        typer.Option(
            help="Numbers of labelled sentences, 0 for all; a number that DATA does not "
            "have is left out"
        ),
    ] = "150,300,750,1500,3000",
    seeds: Annotated[
        str,
        typer.Option(
            help="Number of seeds (3), or a list (0,4); a single seed ends with a comma (2,)"
        ),
    ] = "3",
    systems: Annotated[
        str, typer.Option(help=f"Some of {', '.join(BUILT_IN)}, or '' for variants only")
    ] = ",".join(BUILT_IN),
    variants: Annotated[
        Optional[List[str]],
        typer.Option(
            "--variant",
            help="A further system, 'NAME=BASE --section.key value ...': BASE with other settings "
            "in its config. May be repeated",
        ),
    ] = None,
    choose: Annotated[
        Optional[List[str]],
        typer.Option(
            help="A further system, 'NAME=SYSTEM,SYSTEM,...': in each sample, the one of these "
            "that is best on the development set, as by 'choose'. May be repeated",
        ),
    ] = None,
    pool_sizes: Annotated[
        str,
        typer.Option(help="Numbers of unlabelled sentences for the students, such as 500,1000,all"),
    ] = "all",
    unlabelled: Annotated[
        Optional[List[str]],
        typer.Option("--unlabelled", "-u", help="More text for the pool, as for 'corpus'"),
    ] = None,
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher", "-t", help="The teacher's pre-trained weights, as written by 'weights'"
        ),
    ] = WEIGHTS,
    configs: Annotated[
        Path, typer.Option(help="Folder of teacher.cfg, baseline.cfg and student.cfg")
    ] = CONFIGS,
    lang: Annotated[str, typer.Option("--lang", "-l", help="Language")] = "en",
    work: Annotated[
        Optional[Path],
        typer.Option(
            help="Folder for corpora and trainings, with a project folder SIZE/SEED/ for each "
            "sample; what a sweep has finished there is reused, everything else is made "
            "again. Default: training/sweep/NAME-DIGEST, of DATA with --unlabelled"
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Samples to run in parallel, with one thread each")
    ] = 1,
    gpu: Gpu = -1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Make again what was made with other settings")
    ] = False,
) -> None:
    """Draw the learning curve: train and score systems on samples of the labelled sentences.

    Each run is a row in sweep.jsonl. Runs that have a row, and finished stages, are
    skipped: an interrupted sweep resumes where it stopped, and a finished one only
    makes its tables and figures again.
    """
    require_installed("matplotlib", purpose="Drawing the figures of a sweep", extra="bench")
    chosen = [*choose_systems(split_list(systems), variants or []).values()]
    check_overrides(chosen, configs)
    runs = make_runs(
        chosen,
        sizes=read_numbers(sizes, "--sizes"),
        seeds=read_seeds(seeds),
        limits=read_numbers(pool_sizes, "--pool-sizes", all_word="all"),
    )
    more = split_paths(unlabelled or [])
    settings = Settings(
        data=data,
        work=work or Path(),
        configs=configs,
        teacher=teacher,
        lang=lang,
        unlabelled=tuple(more),
        gpu=gpu,
        sources=tuple(map(describe_source, (data, *more))),
        command=tuple(write_command(context)),
    )
    if work is None:
        settings = settings._replace(work=default_work(settings))
    for folder in (output, settings.work):
        check_apart(folder, [data, *more])
    with make_and_hold(output) as handle:
        path = output / "sweep.jsonl"
        rows = check_rows(runs, path, settings, overwrite=overwrite)
        choices = read_choices(
            choose or [], read_systems(rows, runs), command=describe_command(settings)
        )
        waiting = [run for run in runs if run.key not in rows]
        failures = run_waiting(
            waiting, rows, path, settings, handle=handle, workers=workers, overwrite=overwrite
        )
        if read_rows(path) or not failures:
            show_sweep(output, settings, choices)
    if failures:
        raise ValueError(Errors.D613.format(failed=len(failures), path=path, reason=failures[0]))


def default_work(settings: Settings) -> Path:
    """Return the default working folder, which differs between corpora, even of the same name."""
    return Path("training/sweep") / f"{settings.name}-{fingerprint(source_inputs(settings))[:6]}"


def write_command(context: typer.Context) -> Iterator[str]:
    """Yield the arguments of a command, and those options that are not at their defaults."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")  # options such as --help have none
        unchanged = (None, parameter.get_default(context))
        if parameter.param_type_name == "argument":
            yield str(value)
        elif parameter.name not in NOT_RECORDED and value not in unchanged:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                yield from (parameter.opts[0], str(one))


def run_waiting(
    runs: Sequence[Run],
    rows: Dict[Key, Row],
    path: Path,
    settings: Settings,
    *,
    handle: Optional[int],
    workers: int,
    overwrite: bool,
) -> List[str]:
    """Make the corpora, leave out runs that they are too small for, and run the others.

    runs (Sequence[Run]): The runs that have no row yet.
    rows (Dict[Key, Row]): The existing rows.
    path (Path): The file of the rows.
    settings (Settings): The settings of the sweep.
    handle (Optional[int]): The handle that holds the folder of the rows.
    workers (int): Number of samples to run in parallel.
    overwrite (bool): Whether to make again what was made with other settings.
    RETURNS (List[str]): The errors of the runs that failed.
    RAISES (FileNotFoundError): D401 if the teacher's weights are missing. (ValueError): D602 if a
        corpus or a lookup table can't be made, D607 if a stage was done with other settings, D609
        if the test set is not that of the rows.
    """
    if not runs:
        return []
    check_model(Path(settings.teacher))
    is_held = settings.work.resolve() == path.parent.resolve()
    # Without smoothing, the time left is estimated from the mean speed so far.
    with (
        nullcontext(handle) if is_held else make_and_hold(settings.work) as held,
        tqdm(total=0, bar_format=BAR, smoothing=0, disable=None) as bar,
    ):

        def say(text: str) -> None:
            bar.write(text)
            sys.stdout.flush()  # stdout may be a file that is read during the sweep

        runner = Runner(settings, path, bar=bar, say=say, handle=held)
        runner.make_corpora(runs, workers=workers, overwrite=overwrite)
        check_test_sets(runs, rows, path, settings)
        runs, reasons = leave_out(runs, settings)
        for reason in reasons:
            say(f"Left out: {reason}")
        drop_outdated(path, rows, say)
        return runner.run(runs, workers=workers, overwrite=overwrite)


def show_sweep(output: Path, settings: Settings, choices: Sequence[Choice]) -> None:
    """Choose, compare the systems, and write and print the tables and figures of all rows.

    RAISES (ValueError): D612 if there are no rows.
    """
    path = output / "sweep.jsonl"
    stored = [*read_rows(path).values()]
    if not stored:
        raise ValueError(Errors.D612.format(path=path))
    rows = add_chosen(stored, choices)
    if rows != stored:
        write_rows(path, rows)
    rows = order_rows(rows)
    file = output / "bootstrap.json"
    known: List[Compared] = []
    with suppress(ValueError, FileNotFoundError):  # a damaged file is ignored like a missing one
        known = read_json(file, kind=list)
    compared = compare_systems(rows, settings.work, known)
    write_json(file, compared)
    text = to_markdown(rows, compared)
    (output / "sweep.md").write_text(text, encoding="utf-8")
    figures = draw_figures(rows, output)
    show_tables(make_tables(rows, compared), make_notes(rows, compared))
    msg.good(f"Written: {', '.join(map(str, figures))} and the tables")


def draw_figures(rows: Sequence[Row], output: Path) -> List[Path]:
    """Draw F1 against labelled sentences and, if there are several pools, against their sizes."""
    from ..sweep.figure import draw_curves

    figures = {"sweep": ("labelled sentences", size_curves(rows))}
    pools = pool_curves(rows)
    if pools:
        figures["pool"] = ("unlabelled sentences", pools)
    written = []
    for file, (what, curves) in figures.items():
        paths = [output / f"{file}{suffix}" for suffix in (".png", ".svg")]
        draw_curves(curves, paths, title=name_corpus(rows), what=what)
        written += paths
    return written
