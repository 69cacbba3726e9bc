"""How the threads of torch wait for each other: asleep. Imported before anything that loads torch.

GNU's OpenMP lets them wait awake, and where another program needs the cores, too, each then waits
for one that the system has stopped: a teacher's training takes several times as long. On a machine
that has nothing else to do it makes no difference. OpenMP looks at its environment when it is
loaded, so this reaches the command itself and the processes that it starts; those of `python -m
spacy project run`, too, for that imports the package's commands.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
