"""Closed unit registry (interim; see DESIGN section 3)."""
class UnitError(ValueError):
    pass
def to_base(raw, dimension):
    raise NotImplementedError
def unit_of(raw):
    return ""
def example(dimension):
    return ""
def did_you_mean(word, candidates):
    return ""
