"""From a call's end and an agent's word to the disposition code, its flags, and the rule pack's words for the caps."""

from __future__ import annotations

from outdial_contracts.events import DispositionCode, EndClass, RuleOutcome

C, R = DispositionCode, RuleOutcome
CODE_OF_CLASS: dict[EndClass, DispositionCode] = {
    EndClass.UNKNOWN: C.UNKNOWN,
    EndClass.CONNECTED: C.CONNECTED,
    EndClass.ABANDONED: C.ABANDONED,
    EndClass.CALLEE_HUNG_UP: C.CALLEE_HUNG_UP,
    EndClass.MACHINE: C.MACHINE,
    EndClass.FAX: C.FAX,
    EndClass.DEAD_AIR: C.DEAD_AIR,
    EndClass.NO_ANSWER: C.NO_ANSWER,
    EndClass.BUSY: C.BUSY,
    EndClass.DECLINED: C.DECLINED,
    EndClass.NOT_IN_SERVICE: C.NOT_IN_SERVICE,
    EndClass.CONGESTION: C.CONGESTION,
    EndClass.NETWORK_FAILED: C.NETWORK_FAILED,
    EndClass.CANCELLED: C.NO_ANSWER,
    EndClass.NOT_DIALLED: C.UNKNOWN,
}
"""Of a dialled call: NOT_DIALLED is said only by `dialled: false`, so a dialled end of that class proves nothing."""
WRAPUP_CODES = frozenset({C.INTERESTED, C.NOT_INTERESTED, C.CALLBACK, C.DNC_REQUESTED, C.WRONG_NUMBER, C.CONNECTED})
FINAL = frozenset({C.INTERESTED, C.NOT_INTERESTED, C.DNC_REQUESTED, C.WRONG_NUMBER, C.NOT_IN_SERVICE, C.DECLINED})
RIGHT_PARTY = frozenset({C.INTERESTED, C.NOT_INTERESTED, C.CALLBACK, C.DNC_REQUESTED})
RULE_OUTCOMES: dict[DispositionCode, tuple[RuleOutcome, ...]] = {
    C.INTERESTED: (R.CONVERSATION,),
    C.NOT_INTERESTED: (R.CONVERSATION,),
    C.CALLBACK: (R.CONVERSATION,),
    C.DNC_REQUESTED: (R.CONVERSATION, R.REFUSED),
    C.WRONG_NUMBER: (R.CONVERSATION,),
    C.CONNECTED: (R.CONVERSATION,),
    C.ABANDONED: (R.ABANDONED,),
    C.CALLEE_HUNG_UP: (R.ANSWERED,),
    C.MACHINE: (R.MACHINE_DETECTED,),
    C.FAX: (R.MACHINE_DETECTED,),
    C.DEAD_AIR: (R.ANSWERED,),
    C.NO_ANSWER: (R.NO_ANSWER,),
    C.BUSY: (R.BUSY,),
    C.DECLINED: (R.REFUSED,),
    C.NOT_IN_SERVICE: (R.NOT_IN_SERVICE,),
    C.CONGESTION: (R.NETWORK_FAILED,),
    C.NETWORK_FAILED: (R.NETWORK_FAILED,),
    C.NOT_DIALLED: (),
}
UNKNOWN_BEFORE_ANSWER = (R.NO_ANSWER,)
UNKNOWN_AFTER_ANSWER = (R.ABANDONED, R.CONVERSATION)
"""Not known what was said: counted as a conversation and as an abandonment (architecture.md, step 6)."""


def rule_outcomes(code: DispositionCode, *, answered: bool) -> tuple[RuleOutcome, ...]:
    """What the caps count, in FORMAT.md's words; nothing for an attempt that was surely not dialled."""
    if code is C.UNKNOWN:
        return UNKNOWN_AFTER_ANSWER if answered else UNKNOWN_BEFORE_ANSWER
    return RULE_OUTCOMES[code]
