"""Let the threads of torch sleep while they wait. Imported before anything that loads torch.

By default, threads of GNU's OpenMP spin while they wait for each other. If another program needs
the cores, too, they wait for threads that the system has suspended, and the training of a teacher
takes several times as long. On an otherwise idle machine it makes no difference. OpenMP reads its
environment when it is loaded, so this setting affects the command itself and the processes that it
starts. It also affects those of `python -m spacy project run`, because that imports the package's
commands.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
