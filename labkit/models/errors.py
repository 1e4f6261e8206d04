"""The one exception of this room: a model that cannot be loaded, said in a sentence that names the file or field."""


class LoadError(ValueError):
    """A model cannot be loaded, and the message says which file, field or argument stands in the way."""
