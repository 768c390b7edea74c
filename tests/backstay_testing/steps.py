"""What the operator does as lines of a story: which action, of whom, why."""

from __future__ import annotations

from backstay_operator.planner import actions as act


def line(action: act.Action) -> str:
    """One action as a line of a story: what, of whom, why."""
    return f"{type(action).__name__} {_of_whom(action)}: {action.why}"


def _of_whom(action: act.Action) -> str:
    """The object that it writes, as a story names it."""
    match action:
        case act.WriteInstance():
            grant, ended = action.spec.grant, action.spec.closed
            what = f"epoch {action.spec.epoch} to {grant.host}" if grant else f"epoch {action.spec.epoch} closed"
            return f"{what}{f' on {ended.evidence}' if ended and ended.epoch >= action.before.spec.epoch else ''}"
        case act.RequestFence():
            return f"{action.spec.host} {action.spec.want}"
        case act.UpdateFence():
            return f"{action.before.spec.host} {action.want}"
        case act.DeleteFence():
            return action.before.spec.host
        case act.CreateClaim():
            return action.claim.spec.key
        case act.DeleteClaim() | act.WriteClaim():
            return action.before.spec.key
        case act.SetFinalizer():
            return f"{action.ref.name} {'on' if action.present else 'off'}"
        case act.ReportUnreadable():
            return action.key
    return action.ref.name


def steps(log: list[str], *kinds: str) -> list[str]:
    """The lines of these kinds, without their reasons."""
    return [one.partition(":")[0] for one in log if one.split(" ", 1)[0] in kinds]
