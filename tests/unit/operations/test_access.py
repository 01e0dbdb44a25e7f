"""Principals, ACLs and quotas derived from the declared topics."""

from handoff.operations.setup import access

_MEMBERS = ("police", "shelter", "coordination", "audit")


def test_no_two_principals_share_a_user_or_a_group() -> None:
    everyone = access.principals("prizren", _MEMBERS)
    users = [principal.user for principal in everyone]
    groups = [group for principal in everyone for group in principal.groups]
    assert len(set(users)) == len(users) == 7
    assert len(set(groups)) == len(groups)


def test_an_acl_names_one_resource_and_is_granted_once() -> None:
    grants = access.grants("prizren", _MEMBERS)
    assert len(set(grants)) == len(grants)
    assert not any("*" in grant.resource for grant in grants)
    assert {grant.operation for grant in grants} == {"READ", "WRITE"}


def test_every_principal_has_a_quota() -> None:
    limited = {quota.user for quota in access.quotas("prizren", _MEMBERS)}
    assert limited == {principal.user for principal in access.principals("prizren", _MEMBERS)}
