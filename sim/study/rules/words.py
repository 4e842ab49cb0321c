"""Results of the export rules as people read them."""

from __future__ import annotations

from sim.policy.rules.records import NOT_DECIDABLE

WORDS = {
    NOT_DECIDABLE: "not decidable from public data",
    "nac_eligible": "licence exception NAC possible",
    "fee_15_percent": "15 % of revenue",
    "duty_25_percent": "25 % duty",
    "no_duty_under_this_annex": "no duty under this annex",
    "case_by_case_ndrc": "case by case (NDRC)",
    "use_anywhere_may_breach_gp10": "use anywhere may breach GP 10",
    "presumed_3a090a_unless_designer_attests": "presumed 3A090.a unless the designer attests",
    "licence_required_for_d5_firms_anywhere": "licence required for D:5 firms anywhere",
}


def said(result: str) -> str:
    """A result in words.

    Examples
    --------
    >>> said("duty_25_percent"), said("case_by_case")
    ('25 % duty', 'case by case')
    """
    return WORDS.get(result, result.replace("_", " "))
