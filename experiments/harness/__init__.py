"""What all experiments share.

An experiment is a module with a question as its docstring and four names: ``Config``, its flags; ``run``,
from flags to findings, all of them or those so far, again and again; ``draw``, from a record to pictures;
``answer``, from a record to a sentence that follows from its numbers. ``main`` makes a command of them.
"""
