"""An evaluation has too little to go by."""

from __future__ import annotations

from heimdex_core.errors.base import ValidationError


class NoJudgements(ValidationError):
    """No query of a set has a scene that was judged as relevant, so no metric is defined."""

    code = "NO_JUDGEMENTS"
    message_template = "None of the {queries} queries of “{query_set}” has a scene judged as relevant (grade 1 to 3)."
    hint_template = "Judge some scenes on the Search or the Evaluate page, or import judgements with `eval import`."


class TooFewQueries(ValidationError):
    """A sweep has too few judged queries to choose by some and to check by others."""

    code = "TOO_FEW_QUERIES"
    message_template = (
        "A sweep needs at least {minimum} judged queries to tune with and {minimum} held out; of the {queries} judged"
        " ones {tuning} are for tuning and {held_out} held out."
    )
    hint_template = "Judge scenes for more queries. Which part a query belongs to is decided by its text."
