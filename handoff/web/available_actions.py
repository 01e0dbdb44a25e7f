"""Model of an action that the rules allow the caller on a referral now."""

from pydantic import BaseModel, ConfigDict, Field


class AvailableAction(BaseModel):
    """A command that this member's node would accept on the referral now."""

    model_config = ConfigDict(frozen=True)

    action: str = Field(description="`operationId` of the command", examples=["rejectReferral"])
    path: str = Field(description="Path to post the command to")
    codes: dict[str, tuple[str, ...]] = Field(
        description="Required coded field of the body → the codes that are allowed in it now"
    )
