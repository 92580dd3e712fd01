"""What all experiments share.

An experiment is a module with a question as its docstring and four names: ``Config``, its flags; ``run``,
from flags to findings; ``draw``, from a record to pictures; ``answer``, from a record to a sentence. ``main``
makes a command of them.
"""
